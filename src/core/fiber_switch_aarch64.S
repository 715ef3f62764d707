/* fiber_switch_aarch64.S - the switch from one stack to another, AAPCS64.
 *
 * Keeps what a callee must keep: x19 to x30, the low halves of v8 to v15 and the floating-point control register, on the
 * stack that is left. `struct first_frame` in fiber.c has the same layout. */
#if defined(__aarch64__)

        .text

/* void fiber_switch(void **ret_sp [x0], void *sp [x1]) */
        .globl  fiber_switch
        .hidden fiber_switch
        .type   fiber_switch, %function
        .p2align 4
fiber_switch:
        .cfi_startproc
        hint    #34                     /* bti c */
        sub     sp, sp, #176
        .cfi_def_cfa_offset 176
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x10, fpcr
        str     x10, [sp, #160]
        .cfi_offset x19, -176
        .cfi_offset x20, -168
        .cfi_offset x21, -160
        .cfi_offset x22, -152
        .cfi_offset x23, -144
        .cfi_offset x24, -136
        .cfi_offset x25, -128
        .cfi_offset x26, -120
        .cfi_offset x27, -112
        .cfi_offset x28, -104
        .cfi_offset x29, -96
        .cfi_offset x30, -88

        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1                  /* the other stack looks the same, so the unwinder needs no news */

        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldr     x11, [sp, #160]
        cmp     x10, x11                /* writing it is slow, and rarely needed */
        b.eq    1f
        msr     fpcr, x11
1:
        add     sp, sp, #176
        .cfi_def_cfa_offset 0
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   fiber_switch, . - fiber_switch

/* Where fiber_switch comes out in a new fiber, with the fiber in x19 and an aligned stack. There is no caller. */
        .globl  fiber_entry
        .hidden fiber_entry
        .type   fiber_entry, %function
        .p2align 4
fiber_entry:
        .cfi_startproc
        .cfi_undefined x30
        hint    #34
        mov     x29, #0                 /* ends a walk along frame pointers, too */
        mov     x30, #0
        mov     x0, x19
        bl      fiber_begin
        brk     #1
        .cfi_endproc
        .size   fiber_entry, . - fiber_entry

#if defined(__ARM_FEATURE_BTI_DEFAULT)
        .section .note.gnu.property, "a", %note
        .p2align 3
        .word   4, 16, 5                /* sizes of name and description; NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .word   0xc0000000, 4, 1, 0     /* GNU_PROPERTY_AARCH64_FEATURE_1_AND: 4 bytes: BTI; padding */
#endif

#endif

/* Also on the other machine, or the linker takes this file to want an executable stack. */
        .section .note.GNU-stack, "", %progbits
