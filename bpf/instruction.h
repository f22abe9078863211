/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
 *
 * What an arm64 instruction does to memory. Sees its 32 bits; no kernel type, so that the unit tests can
 * include it.
 */
#ifndef IOHOPS_INSTRUCTION_H
#define IOHOPS_INSTRUCTION_H

/* Arm ARM C4.1, "Loads and Stores"; bit 22 is L, clear in a store. What does both is a store: its page is
 * written. Not told: FEAT_MOPS (its copies do each to another page), memory tags. */
static inline __attribute__((always_inline)) bool is_arm64_store(unsigned int code)
{
	bool load = code >> 22 & 1, simd = code >> 26 & 1, plain = !(code >> 24 & 1), bit21 = code >> 21 & 1;

	if ((code & 0xffffffe0) == 0xd50b7420) /* dc zva: memset */
		return true;
	if ((code & 0x0a000000) != 0x08000000) /* neither a load nor a store */
		return false;
	switch (code >> 27 & 7) {
	case 1: /* exclusive, ordered, compare and swap; vectors' structures */
		if (!simd && plain && bit21)
			return code >> 23 & 1 || !(code >> 31) || !load;
		return !load;
	case 3: /* of a literal; ordered, with an offset */
		return !plain && !(code >> 22 & 3);
	case 5: /* pair */
		return !load;
	}
	if (plain && bit21 && code >> 10 & 1) /* by a signed pointer */
		return false;
	if (plain && bit21 && !(code >> 10 & 3)) /* atomic, but for ldapr */
		return (code & 0x00bffc00) != 0x00bfc000;
	return simd ? !load : !(code >> 22 & 3);
}

#endif /* IOHOPS_INSTRUCTION_H */
