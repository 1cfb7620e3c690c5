"""The dashboard's frame: navigation only. A page is one file in pages/."""

import streamlit as st

from dashboard import page as frame
from dashboard import texts as strings

st.set_page_config(page_title=strings.TITLE, page_icon="◐", layout="wide", initial_sidebar_state="collapsed")
pages = [
    st.Page("pages/overview.py", title=strings.OVERVIEW, default=True),
    st.Page("pages/provider.py", title=strings.PROVIDER, url_path="provider", visibility="hidden"),
]
chosen = st.navigation(pages, position="hidden")
frame.style()
frame.guarded(chosen.run)
