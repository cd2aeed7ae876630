"""Every theorem that the project claims, with the file that proves it. A test runs each, and fails if one is missing here.

What is assumed of all of them: the text of the designs, the reading of Python that ``refmodel/language`` and
``refmodel/engines/symbolic.py`` make of it, and z3.
"""

THEOREMS = {
    "the_initial_state_is_lawful":
        "Before anything has happened every law of Ept holds, for any number of VMs, vCPUs, guest frames and machine frames, and "
        "whatever memory holds at power-on. (proofs/test_ept.py)",
    "every_operation_keeps_every_law":
        "From any lawful state, every operation of Ept leads to lawful states only, and shows the guest what the bare machine "
        "shows; for any number of names, with allocations failing wherever they may. (proofs/test_ept.py)",
    "so_do_the_operations_of_a_user_s_own_design":
        "The same for ZapToProtect, which write-protects by taking the whole entry away. (proofs/test_ept.py)",
}
