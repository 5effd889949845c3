"""The reference pages of the site, made from the code: nothing of them is kept as text.

`pages()` needs kinblend alone; `hooks` puts the pages, and files of the repository, into the site that mkdocs builds.
"""
