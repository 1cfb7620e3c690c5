"""The dashboard's application: the style and the navigation. Each page is one file in pages/."""

import streamlit as st

from dashboard import page
from dashboard.texts import text

st.set_page_config(page_title=text("general", "title"), page_icon="◐", layout="wide", initial_sidebar_state="collapsed")
pages = [
    st.Page("pages/overview.py", title=text("pages", "overview"), default=True),
    st.Page("pages/provider.py", title=text("pages", "provider"), url_path="provider", visibility="hidden"),
]
chosen = st.navigation(pages, position="hidden")
page.style()
page.guarded(chosen.run)
