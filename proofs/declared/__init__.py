"""The walks once more, as a manual's tables would put them: every level at once, no loop, in terms of the solver.

Written apart from the text in refmodel/machine, so that the theorem that the two agree says something about each.
"""
