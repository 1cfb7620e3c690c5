"""The dashboard's frame: navigation only. A page is one file in pages/."""

import streamlit as st

from dashboard import page, texts

st.set_page_config(page_title=texts.TITLE, page_icon="◐", layout="wide", initial_sidebar_state="collapsed")
pages = [
    st.Page("pages/overview.py", title=texts.OVERVIEW, default=True),
    st.Page("pages/provider.py", title=texts.PROVIDER, url_path="provider", visibility="hidden"),
]
chosen = st.navigation(pages, position="hidden")
page.style()
page.guarded(chosen.run)
