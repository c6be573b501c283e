#include "textflag.h"

// Each number is level*scale, or level*scale + offset, rounded after the product and after the
// sum, so that the bits are those of the Go loops. Y13 holds 15 in every lane where nibbles are cut.

DATA fifteen<>+0(SB)/4, $15
GLOBL fifteen<>(SB), RODATA|NOPTR, $4
DATA sixteen<>+0(SB)/4, $16
GLOBL sixteen<>(SB), RODATA|NOPTR, $4
DATA thirtytwo<>+0(SB)/4, $32
GLOBL thirtytwo<>(SB), RODATA|NOPTR, $4
DATA fortyeight<>+0(SB)/4, $48
GLOBL fortyeight<>(SB), RODATA|NOPTR, $4
DATA nibble<>+0(SB)/1, $15
GLOBL nibble<>(SB), RODATA|NOPTR, $1
DATA lanes<>+0(SB)/4, $0
DATA lanes<>+4(SB)/4, $1
DATA lanes<>+8(SB)/4, $2
DATA lanes<>+12(SB)/4, $3
DATA lanes<>+16(SB)/4, $4
DATA lanes<>+20(SB)/4, $5
DATA lanes<>+24(SB)/4, $6
DATA lanes<>+28(SB)/4, $7
GLOBL lanes<>(SB), RODATA|NOPTR, $32

// func halvesAVX2(dst *float32, src *byte, eights int)
TEXT ·halvesAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ eights+16(FP), CX
loop:
	VCVTPH2PS (SI), Y0
	VMOVUPS Y0, (DI)
	ADDQ $16, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func brainsAVX2(dst *float32, src *byte, eights int)
TEXT ·brainsAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ eights+16(FP), CX
loop:
	VPMOVZXWD (SI), Y0
	VPSLLD $16, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $16, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// eight signed bytes times Y15
#define BYTES(from, to) \
	VPMOVSXBD from, Y0; \
	VCVTDQ2PS Y0, Y0; \
	VMULPS Y15, Y0, Y0; \
	VMOVUPS Y0, to

// func q80AVX2(dst *float32, src *byte, blocks int)
TEXT ·q80AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ blocks+16(FP), CX
loop:
	VPBROADCASTW (SI), X15
	VCVTPH2PS X15, Y15
	BYTES(2(SI), 0(DI))
	BYTES(10(SI), 32(DI))
	BYTES(18(SI), 64(DI))
	BYTES(26(SI), 96(DI))
	ADDQ $34, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// 16 bytes of nibbles by the levels in X14, times Y15
#define LEVELS(from, to) \
	VMOVDQU from, X1; \
	VPSRLW $4, X1, X2; \
	VPAND X13, X1, X1; \
	VPAND X13, X2, X2; \
	VPSHUFB X1, X14, X1; \
	VPSHUFB X2, X14, X2; \
	VPSRLDQ $8, X1, X3; \
	VPSRLDQ $8, X2, X4; \
	BYTES(X1, 0(to)); \
	BYTES(X3, 32(to)); \
	BYTES(X2, 64(to)); \
	BYTES(X4, 96(to))

// func levelsAVX2(dst *float32, src *byte, blocks int, levels *[16]int8)
TEXT ·levelsAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ blocks+16(FP), CX
	MOVQ levels+24(FP), BX
	VMOVDQU (BX), X14
	VPBROADCASTB nibble<>(SB), X13
loop:
	VPBROADCASTW (SI), X15
	VCVTPH2PS X15, Y15
	LEVELS(2(SI), DI)
	ADDQ $18, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func groupsAVX2(dst *float32, src *byte, scales *[8]float32, levels *[16]int8)
TEXT ·groupsAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ scales+16(FP), DX
	MOVQ levels+24(FP), BX
	VMOVDQU (BX), X14
	VPBROADCASTB nibble<>(SB), X13
	MOVQ $8, CX
loop:
	VBROADCASTSS (DX), Y15
	LEVELS((SI), DI)
	ADDQ $16, SI
	ADDQ $4, DX
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// lanes of levels in a register times scale plus offset
#define AFFINE(level, scale, offset, to) \
	VCVTDQ2PS level, level; \
	VMULPS scale, level, level; \
	VADDPS offset, level, level; \
	VMOVUPS level, to

// eight bytes of nibbles, low ones first
#define NIBBLES(from, low, high) \
	VPMOVZXBD from, Y0; \
	VPSRLD $4, Y0, Y1; \
	VPAND Y13, Y0, Y0; \
	AFFINE(Y0, Y15, Y14, low); \
	AFFINE(Y1, Y15, Y14, high)

// func q41AVX2(dst *float32, src *byte, blocks int)
TEXT ·q41AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ blocks+16(FP), CX
	VPBROADCASTD fifteen<>(SB), Y13
loop:
	VPBROADCASTW (SI), X15
	VCVTPH2PS X15, Y15
	VPBROADCASTW 2(SI), X14
	VCVTPH2PS X14, Y14
	NIBBLES(4(SI), 0(DI), 64(DI))
	NIBBLES(12(SI), 32(DI), 96(DI))
	ADDQ $20, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// Eight bytes of nibbles; Y11 holds the fifth bits, Y2 and Y3 how far to shift them for the low
// and the high nibbles. Y12 holds 16. The levels come out in Y0 and Y1.
#define FIVES(from) \
	VPMOVZXBD from, Y0; \
	VPSRLD $4, Y0, Y1; \
	VPAND Y13, Y0, Y0; \
	VPSRLVD Y2, Y11, Y4; \
	VPSRLVD Y3, Y11, Y5; \
	VPSLLD $4, Y4, Y4; \
	VPSLLD $4, Y5, Y5; \
	VPAND Y12, Y4, Y4; \
	VPAND Y12, Y5, Y5; \
	VPOR Y4, Y0, Y0; \
	VPOR Y5, Y1, Y1

// the shifts of bytes 0 to 7 in Y6 and Y7, of bytes 8 to 15 in Y8 and Y9
#define SHIFTS \
	VMOVDQU lanes<>(SB), Y6; \
	VPBROADCASTD sixteen<>(SB), Y12; \
	VPADDD Y12, Y6, Y7; \
	VPSRLD $1, Y12, Y8; \
	VPADDD Y8, Y7, Y9; \
	VPADDD Y8, Y6, Y8; \
	VPBROADCASTD fifteen<>(SB), Y13

#define SCALED(level, to) \
	VPSUBD Y12, level, level; \
	VCVTDQ2PS level, level; \
	VMULPS Y15, level, level; \
	VMOVUPS level, to

// func q50AVX2(dst *float32, src *byte, blocks int)
TEXT ·q50AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ blocks+16(FP), CX
	SHIFTS
loop:
	VPBROADCASTW (SI), X15
	VCVTPH2PS X15, Y15
	VPBROADCASTD 2(SI), Y11
	VMOVDQA Y6, Y2
	VMOVDQA Y7, Y3
	FIVES(6(SI))
	SCALED(Y0, 0(DI))
	SCALED(Y1, 64(DI))
	VMOVDQA Y8, Y2
	VMOVDQA Y9, Y3
	FIVES(14(SI))
	SCALED(Y0, 32(DI))
	SCALED(Y1, 96(DI))
	ADDQ $22, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func q51AVX2(dst *float32, src *byte, blocks int)
TEXT ·q51AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ blocks+16(FP), CX
	SHIFTS
loop:
	VPBROADCASTW (SI), X15
	VCVTPH2PS X15, Y15
	VPBROADCASTW 2(SI), X14
	VCVTPH2PS X14, Y14
	VPBROADCASTD 4(SI), Y11
	VMOVDQA Y6, Y2
	VMOVDQA Y7, Y3
	FIVES(8(SI))
	AFFINE(Y0, Y15, Y14, 0(DI))
	AFFINE(Y1, Y15, Y14, 64(DI))
	VMOVDQA Y8, Y2
	VMOVDQA Y9, Y3
	FIVES(16(SI))
	AFFINE(Y0, Y15, Y14, 32(DI))
	AFFINE(Y1, Y15, Y14, 96(DI))
	ADDQ $24, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func q4kAVX2(dst *float32, src *byte, scales, offsets *[8]float32)
TEXT ·q4kAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ scales+16(FP), DX
	MOVQ offsets+24(FP), BX
	VPBROADCASTD fifteen<>(SB), Y13
	MOVQ $4, CX
group:
	VBROADCASTSS (DX), Y15
	VBROADCASTSS (BX), Y14
	VBROADCASTSS 4(DX), Y12
	VBROADCASTSS 4(BX), Y11
	MOVQ $4, R8
loop:
	VPMOVZXBD (SI), Y0
	VPSRLD $4, Y0, Y1
	VPAND Y13, Y0, Y0
	AFFINE(Y0, Y15, Y14, 0(DI))
	AFFINE(Y1, Y12, Y11, 128(DI))
	ADDQ $8, SI
	ADDQ $32, DI
	DECQ R8
	JNZ  loop
	ADDQ $128, DI
	ADDQ $8, DX
	ADDQ $8, BX
	DECQ CX
	JNZ  group
	VZEROUPPER
	RET

// func q5kAVX2(dst *float32, src *byte, scales, offsets *[8]float32)
//
// src is the 32 bytes of fifth bits and the 128 bytes of nibbles. X10 counts how far the former are
// shifted: bit 2g for the low nibbles of group g, bit 2g+1 for the high.
TEXT ·q5kAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ scales+16(FP), DX
	MOVQ offsets+24(FP), BX
	VPBROADCASTD fifteen<>(SB), Y13
	VPBROADCASTD sixteen<>(SB), Y9
	LEAQ 32(SI), R9
	XORQ R10, R10
group:
	VBROADCASTSS (DX), Y15
	VBROADCASTSS (BX), Y14
	VBROADCASTSS 4(DX), Y12
	VBROADCASTSS 4(BX), Y11
	VMOVQ R10, X10
	XORQ R8, R8
loop:
	VPMOVZXBD (R9), Y0
	VPMOVZXBD (SI)(R8*1), Y2
	VPSRLD $4, Y0, Y1
	VPAND Y13, Y0, Y0
	VPSRLD X10, Y2, Y2
	VPSLLD $4, Y2, Y3
	VPSLLD $3, Y2, Y2
	VPAND Y9, Y3, Y3
	VPAND Y9, Y2, Y2
	VPOR Y3, Y0, Y0
	VPOR Y2, Y1, Y1
	AFFINE(Y0, Y15, Y14, 0(DI))
	AFFINE(Y1, Y12, Y11, 128(DI))
	ADDQ $8, R9
	ADDQ $32, DI
	ADDQ $8, R8
	CMPQ R8, $32
	JNE  loop
	ADDQ $128, DI
	ADDQ $8, DX
	ADDQ $8, BX
	ADDQ $2, R10
	CMPQ R10, $8
	JNE  group
	VZEROUPPER
	RET

#define SIXES(level, scale, to) \
	VPSUBD Y11, level, level; \
	VCVTDQ2PS level, level; \
	VMULPS scale, level, level; \
	VMOVUPS level, to

// func q6kAVX2(dst *float32, src *byte, scales *[16]float32)
//
// A half of 128 numbers is 64 bytes of low bits (SI) and 32 of high bits (R9); each 16 numbers
// have a scale.
TEXT ·q6kAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ scales+16(FP), DX
	LEAQ 128(SI), R9
	VPBROADCASTD fifteen<>(SB), Y13
	VPBROADCASTD fortyeight<>(SB), Y12
	VPBROADCASTD thirtytwo<>(SB), Y11
	MOVQ $2, CX
half:
	MOVQ $4, R8
loop:
	VBROADCASTSS (DX), Y4
	VBROADCASTSS 8(DX), Y5
	VBROADCASTSS 16(DX), Y6
	VBROADCASTSS 24(DX), Y7
	VPMOVZXBD (SI), Y0
	VPMOVZXBD 32(SI), Y1
	VPMOVZXBD (R9), Y8
	VPSRLD $4, Y0, Y2
	VPSRLD $4, Y1, Y3
	VPAND Y13, Y0, Y0
	VPAND Y13, Y1, Y1
	VPSLLD $4, Y8, Y9
	VPAND Y12, Y9, Y9
	VPOR Y9, Y0, Y0
	VPSLLD $2, Y8, Y9
	VPAND Y12, Y9, Y9
	VPOR Y9, Y1, Y1
	VPAND Y12, Y8, Y9
	VPOR Y9, Y2, Y2
	VPSRLD $2, Y8, Y9
	VPAND Y12, Y9, Y9
	VPOR Y9, Y3, Y3
	SIXES(Y0, Y4, 0(DI))
	SIXES(Y1, Y5, 128(DI))
	SIXES(Y2, Y6, 256(DI))
	SIXES(Y3, Y7, 384(DI))
	ADDQ $8, SI
	ADDQ $8, R9
	ADDQ $32, DI
	TESTQ $1, R8
	JZ   same
	ADDQ $4, DX
same:
	DECQ R8
	JNZ  loop
	ADDQ $24, DX
	ADDQ $32, SI
	ADDQ $384, DI
	DECQ CX
	JNZ  half
	VZEROUPPER
	RET
