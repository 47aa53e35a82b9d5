# SPDX-License-Identifier: GPL-2.0-only
# sphinx-build -W Documentation build/htmldocs
project = "kviommu"
copyright = "The kviommu developers"
extensions = []
master_doc = "index"
exclude_patterns = ["ABI", "libvirt"]
highlight_language = "none"
html_theme = "alabaster"
