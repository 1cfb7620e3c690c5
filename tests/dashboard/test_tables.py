"""Tables as HTML."""

from dashboard.tables import TableCell, TableRow, table


def test_everything_is_escaped():
    """A provider's name is shown as text, whatever it contains."""
    evil = '<script>"&'
    html = table(
        {"a": evil}, [TableRow({"a": TableCell(text=evil, below=evil, href=f"?x={evil}")}, {"name": evil})], evil
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;&quot;&amp;") >= 6


def test_rows_can_be_read_by_programs():
    """Each row has its data attributes, and each cell its column's title for narrow screens."""
    html = table(
        {"a": "Since", "b": "p"}, [TableRow({"a": TableCell(text="now")}, {"provider": "x", "onset": "t"})], "All"
    )
    assert '<tr data-provider="x" data-onset="t">' in html
    assert 'data-label="Since"' in html
    assert "<caption>All</caption>" in html
