/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - frames for a guest with the context id 3, and what is to
 * be thought of them
 *
 * To be included where WIRE_CASE(name, size, used, len, src_cid, dst_cid,
 * status) makes something of a line; also by tests in userspace.
 */
WIRE_CASE(control, 4096, 44, 0, 2, 3, OK)
WIRE_CASE(payload, 4096, 144, 100, 2, 3, OK)
WIRE_CASE(payload_fills_the_buffer, 4096, 4096, 4052, 2, 3, OK)
WIRE_CASE(more_used_than_payload, 4096, 4096, 1, 2, 3, OK)
WIRE_CASE(buffer_of_one_header, 44, 44, 0, 2, 3, OK)
WIRE_CASE(nothing_used, 4096, 0, 0, 2, 3, SHORT)
WIRE_CASE(one_byte_used, 4096, 1, 0, 2, 3, SHORT)
WIRE_CASE(header_less_one, 4096, 43, 0, 2, 3, SHORT)
WIRE_CASE(short_and_over, 40, 43, 0, 2, 3, SHORT)
WIRE_CASE(one_past_the_buffer, 4096, 4097, 0, 2, 3, OVERRUN)
WIRE_CASE(all_ones_used, 4096, 0xffffffff, 0, 2, 3, OVERRUN)
WIRE_CASE(all_ones_used_and_len, 4096, 0xffffffff, 0xffffffff, 2, 3, OVERRUN)
WIRE_CASE(len_one_too_long, 4096, 144, 101, 2, 3, LENGTH)
WIRE_CASE(len_counts_the_header, 4096, 144, 144, 2, 3, LENGTH)
WIRE_CASE(len_without_payload, 4096, 44, 1, 2, 3, LENGTH)
WIRE_CASE(len_to_the_buffers_end, 4096, 144, 4052, 2, 3, LENGTH)
WIRE_CASE(len_all_ones, 4096, 144, 0xffffffff, 2, 3, LENGTH)
WIRE_CASE(len_that_wraps, 4096, 144, 0xffffffff - 43, 2, 3, LENGTH)
WIRE_CASE(other_guest, 4096, 44, 0, 2, 4, CID)
WIRE_CASE(dst_zero, 4096, 44, 0, 2, 0, CID)
WIRE_CASE(dst_upper_half, 4096, 44, 0, 2, 0x100000003, CID)
WIRE_CASE(src_upper_half, 4096, 44, 0, 0x100000002, 3, CID)
WIRE_CASE(src_top_bit, 4096, 44, 0, 0x8000000000000002, 3, CID)
