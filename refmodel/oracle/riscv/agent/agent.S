# The agent that carries out tests on a RISC-V machine, in M-mode, with no firmware and no operating system.
#
# It lies at 0x80000000. The mailbox at 0x803ff000 holds: word 0, set to 1 to ask for a script and to 0 when it is done;
# word 1, where the script lies; word 2, how to end: 0 waits for the next script, else 1 is written to that address (Spike's
# "tohost") and the agent stops; words 3 and 4, mepc and mcause of a trap that no test was to have.
#
# A script is a row of steps of 8 words of 64 bits: what to do, arguments a, b, c, and four words for results. A machine of
# 32 bits looks at the lower half of each, but for the bits of mstatush, menvcfgh and henvcfgh.
#   0 STOP
#   1 STORE      [a] = b
#   2 EXCHANGE   first result = [a]; [a] = b
#   3 TABLES     satp = a, vsatp = b, hgatp = c
#   4 STATUS     vsstatus = a, menvcfg = b, henvcfg = c; then every translation is forgotten
#   5 ACCESS     at address a, by an instruction of kind b, with bits c set in mstatus
#                results: mcause, with mstatus.GVA in bit 8, or -1 if there was no trap; mtval, or what was loaded; mtval2; mtinst
#   6 FENCE      kind a with operands b (rs1) and c (rs2): see "fences"
#   7 LOOK       first result = [a]
# Kinds of access: 0 load, 1 store, 2 fetch, 3 AMO, 4 HLV, 5 HSV, 6 HLVX. The bits of c are MPRV, MPV, MPP, SUM and MXR; HLV,
# HSV and HLVX take hstatus.SPVP from the lower bit of MPP. A fetch is an mret to the address; what lies there ends in an ecall.
#
# Assembled by riscv64-linux-gnu-as -march=rv64ima_zicsr and linked by riscv64-linux-gnu-ld -Ttext=0x80000000; for 32 bits with
# -march=rv32ima_zicsr -mabi=ilp32 --defsym RV32=1, and -m elf32lriscv. code.py holds the bytes, and a test compares.

        .globl  _start
        .ifdef  RV32
        .macro  lx, to, from            # a register from memory
        lw      \to, \from
        .endm
        .macro  sx, from, to
        sw      \from, \to
        .endm
        .macro  plain                   # leave the mode of a test: clear s10 in mstatus, and GVA and MPV
        csrc    mstatus, s10
        csrc    MSTATUSH, s9
        .endm
        .else
        .macro  lx, to, from
        ld      \to, \from
        .endm
        .macro  sx, from, to
        sd      \from, \to
        .endm
        .macro  plain
        csrc    mstatus, s10
        .endm
        .endif
        .option norelax
        .option norvc
        .equ    MEPC, 0x341
        .equ    MTVAL2, 0x34b
        .equ    MTINST, 0x34a
        .equ    MENVCFG, 0x30a
        .equ    HENVCFG, 0x60a
        .equ    HSTATUS, 0x600
        .equ    VSATP, 0x280
        .equ    HGATP, 0x680
        .equ    VSSTATUS, 0x200
        .equ    MSTATUSH, 0x310
        .equ    MENVCFGH, 0x31a
        .equ    HENVCFGH, 0x61a

_start: lla     t0, ready
        csrw    mtvec, t0
        li      t0, -1
        .ifndef RV32
        srli    t0, t0, 10
        .endif
        csrw    pmpaddr0, t0            # all of memory may be used by every mode; without PMP this traps, and goes on at "ready"
        li      t0, 0x1f
        csrw    pmpcfg0, t0
        .balign 4
ready:  lla     t0, trap
        csrw    mtvec, t0
        li      s0, 0x803ff000
        li      s11, 0                  # whether an access is under test
        .ifdef  RV32
        li      s9, (1 << 6) | (1 << 7)         # GVA, MPV in mstatush
        li      s10, (1 << 17) | (3 << 11) | (1 << 18) | (1 << 19) | (1 << 7) | (1 << 3)
                                                # MPRV, MPP, SUM, MXR, MPIE, MIE
        .else
        li      s10, (1 << 17) | (1 << 38) | (1 << 39) | (3 << 11) | (1 << 18) | (1 << 19) | (1 << 7) | (1 << 3)
                                                # and GVA, MPV
        .endif
        plain
        csrw    medeleg, zero           # every trap comes here
        csrw    mideleg, zero
        csrw    mie, zero
wait:   lx      t0, 0(s0)
        fence
        beqz    t0, wait
        lx      s1, 8(s0)
step:   lx      t0, 0(s1)
        lx      a0, 8(s1)
        lx      a1, 16(s1)
        lx      a2, 24(s1)
        slli    t0, t0, 2
        lla     t1, steps
        add     t1, t1, t0
        jr      t1
steps:  j       stop
        j       store
        j       exchange
        j       tables
        j       status
        j       access
        j       fences
        j       look
next:   addi    s1, s1, 64
        j       step

stop:   fence
        sx      zero, 0(s0)
        lx      t1, 16(s0)
        beqz    t1, wait
        li      t0, 1
2:      sx      t0, 0(t1)
        .ifdef  RV32
        sw      zero, 4(t1)             # QEMU acts when the upper half is written
        .endif
        j       2b

store:  sx      a1, 0(a0)
        j       next

exchange:
        lx      t0, 0(a0)
        sx      a1, 0(a0)
        sx      t0, 32(s1)
        j       next

look:   lx      t0, 0(a0)
        sx      t0, 32(s1)
        j       next

tables: csrw    satp, a0
        csrw    VSATP, a1
        csrw    HGATP, a2
        csrr    t0, satp                # what the machine made of them
        sx      t0, 32(s1)
        csrr    t0, VSATP
        sx      t0, 40(s1)
        csrr    t0, HGATP
        sx      t0, 48(s1)
        j       next

status: csrw    VSSTATUS, a0
        csrw    MENVCFG, a1
        csrw    HENVCFG, a2
        .ifdef  RV32
        lw      t0, 20(s1)
        csrw    MENVCFGH, t0
        lw      t0, 28(s1)
        csrw    HENVCFGH, t0
        csrr    t0, MENVCFGH
        sw      t0, 36(s1)
        csrr    t0, HENVCFGH
        sw      t0, 44(s1)
        .endif
        csrr    t0, MENVCFG
        sx      t0, 32(s1)
        csrr    t0, HENVCFG
        sx      t0, 40(s1)
        .word   0x62000073              # hfence.gvma
        .word   0x22000073              # hfence.vvma
        sfence.vma
        j       next

# kinds of fence, with rs1 and rs2 being x0 or not: 0 to 3 sfence.vma, 4 to 7 hfence.vvma, 8 to 11 hfence.gvma; and between
# sfence.w.inval and sfence.inval.ir: 12 to 15 sinval.vma, 16 to 19 hinval.vvma, 20 to 23 hinval.gvma
fences: slli    t0, a0, 3
        lla     t1, fence_0
        add     t1, t1, t0
        li      t0, 12
        bltu    a0, t0, 1f
        .word   0x18000073              # sfence.w.inval
1:      jr      t1
fence_0:
        sfence.vma
        j       next
        sfence.vma a1
        j       next
        sfence.vma x0, a2
        j       next
        sfence.vma a1, a2
        j       next
        .insn   r 0x73, 0, 0x11, x0, x0, x0     # hfence.vvma
        j       next
        .insn   r 0x73, 0, 0x11, x0, a1, x0
        j       next
        .insn   r 0x73, 0, 0x11, x0, x0, a2
        j       next
        .insn   r 0x73, 0, 0x11, x0, a1, a2
        j       next
        .insn   r 0x73, 0, 0x31, x0, x0, x0     # hfence.gvma
        j       next
        .insn   r 0x73, 0, 0x31, x0, a1, x0
        j       next
        .insn   r 0x73, 0, 0x31, x0, x0, a2
        j       next
        .insn   r 0x73, 0, 0x31, x0, a1, a2
        j       next
        .insn   r 0x73, 0, 0x0b, x0, x0, x0     # sinval.vma
        j       inval
        .insn   r 0x73, 0, 0x0b, x0, a1, x0
        j       inval
        .insn   r 0x73, 0, 0x0b, x0, x0, a2
        j       inval
        .insn   r 0x73, 0, 0x0b, x0, a1, a2
        j       inval
        .insn   r 0x73, 0, 0x13, x0, x0, x0     # hinval.vvma
        j       inval
        .insn   r 0x73, 0, 0x13, x0, a1, x0
        j       inval
        .insn   r 0x73, 0, 0x13, x0, x0, a2
        j       inval
        .insn   r 0x73, 0, 0x13, x0, a1, a2
        j       inval
        .insn   r 0x73, 0, 0x33, x0, x0, x0     # hinval.gvma
        j       inval
        .insn   r 0x73, 0, 0x33, x0, a1, x0
        j       inval
        .insn   r 0x73, 0, 0x33, x0, x0, a2
        j       inval
        .insn   r 0x73, 0, 0x33, x0, a1, a2
inval:  .word   0x18100073              # sfence.inval.ir
        j       next

access: plain
        csrr    t1, HSTATUS
        andi    t1, t1, -257            # SPVP is bit 8
        srli    t2, a2, 3               # and the lower bit of MPP, bit 11, goes there
        andi    t2, t2, 0x100
        or      t1, t1, t2
        csrw    HSTATUS, t1
        li      s11, 1
        li      t2, 0
        li      t3, 0x5a5afeed          # what is stored
        slli    t0, a1, 4
        lla     t1, kinds
        add     t1, t1, t0
        .ifdef  RV32
        lw      t0, 28(s1)
        csrs    MSTATUSH, t0
        .endif
        csrs    mstatus, a2             # from here on the mode of an access is what is tested
        jr      t1
kinds:  lx      t2, 0(a0)
        j       done
        nop
        nop
        sx      t3, 0(a0)
        j       done
        nop
        nop
        csrw    MEPC, a0
        mret
        nop
        nop
        .ifdef  RV32
        amoswap.w t2, t3, (a0)
        .else
        amoswap.d t2, t3, (a0)
        .endif
        j       done
        nop
        nop
        .ifdef  RV32
        .insn   i 0x73, 4, t2, a0, 0x680        # hlv.w t2, (a0)
        .else
        .insn   i 0x73, 4, t2, a0, 0x6c0        # hlv.d t2, (a0)
        .endif
        j       done
        nop
        nop
        .ifdef  RV32
        .insn   r 0x73, 4, 0x35, x0, a0, t3     # hsv.w t3, (a0)
        .else
        .insn   r 0x73, 4, 0x37, x0, a0, t3     # hsv.d t3, (a0)
        .endif
        j       done
        nop
        nop
        .insn   i 0x73, 4, t2, a0, 0x683        # hlvx.wu t2, (a0)
        j       done
done:   plain
        li      t0, -1
        sx      t0, 32(s1)
        sx      t2, 40(s1)
        li      s11, 0
        j       next

        .balign 4
        .ifdef  RV32
trap:   csrr    t5, MSTATUSH
        slli    t5, t5, 2               # GVA is bit 6
        .else
trap:   csrr    t5, mstatus
        srli    t5, t5, 30              # GVA is bit 38
        .endif
        plain
        csrr    t0, mcause
        csrr    t1, mtval
        addi    t4, t0, -8
        li      t6, 4
        bgeu    t4, t6, 1f              # 8 to 11: the ecall that was fetched
        mv      t1, t2
1:      andi    t5, t5, 0x100
        or      t5, t5, t0
        sx      t5, 32(s1)
        sx      t1, 40(s1)
        csrr    t1, MTVAL2
        sx      t1, 48(s1)
        csrr    t1, MTINST
        sx      t1, 56(s1)
        beqz    s11, 2f
        li      s11, 0
        j       next
2:      csrr    t1, MEPC
        sx      t1, 24(s0)
        sx      t0, 32(s0)
        j       stop
