// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of flow control: tables of edge values, and long random runs beside
 * a model that counts in 64 bits, where nothing wraps.
 */
#include <kselftest_harness.h>

#include "credit_model.h"

#define ROUNDS 300000
#define SMALL CREDIT_SMALL
#define SMALL_MIN CREDIT_SMALL_MIN

/* Where counting begins: every run is also done across the wrap. */
FIXTURE(credit) {
	struct vsockdev_credit credit;
	uint64_t state;
};

FIXTURE_VARIANT(credit) {
	uint32_t origin;
};

FIXTURE_VARIANT_ADD(credit, from_zero) {
	.origin = 0,
};

FIXTURE_VARIANT_ADD(credit, across_the_sign) {
	.origin = 0x7fffff00,
};

FIXTURE_VARIANT_ADD(credit, across_the_wrap) {
	.origin = 0xffffff00,
};

static struct vsockdev_credit credit_at(uint32_t origin, uint32_t buf_alloc)
{
	struct vsockdev_credit credit;

	credit_model_init(&credit, origin, buf_alloc);
	return credit;
}

FIXTURE_SETUP(credit)
{
	self->credit = credit_at(variant->origin, 262144);
	self->state = variant->origin + 1;
}

FIXTURE_TEARDOWN(credit)
{
}

static bool update(struct vsockdev_credit *credit, uint32_t buf_alloc,
		   uint32_t fwd_cnt)
{
	return vsockdev_credit_peer_update(credit, buf_alloc, fwd_cnt);
}

TEST(a_new_connection_has_no_credit_and_its_whole_window)
{
	struct vsockdev_credit credit;

	memset(&credit, 0xa5, sizeof(credit));
	vsockdev_credit_init(&credit, 1000);

	EXPECT_EQ(0, vsockdev_credit_tx_space(&credit));
	EXPECT_FALSE(vsockdev_credit_update_due(&credit));
	EXPECT_FALSE(vsockdev_credit_rx(&credit, 1001));
	EXPECT_TRUE(vsockdev_credit_rx(&credit, 1000));
	EXPECT_FALSE(vsockdev_credit_rx(&credit, 1));
}

TEST_F(credit, space_follows_the_peers_window)
{
	struct vsockdev_credit *credit = &self->credit;
	uint32_t origin = variant->origin;

	EXPECT_TRUE(update(credit, 65536, origin));
	EXPECT_EQ(65536, vsockdev_credit_tx_space(credit));

	vsockdev_credit_tx(credit, 65535);
	EXPECT_EQ(1, vsockdev_credit_tx_space(credit));

	vsockdev_credit_tx(credit, 1);
	EXPECT_EQ(0, vsockdev_credit_tx_space(credit));

	EXPECT_TRUE(update(credit, 65536, origin + 10));
	EXPECT_EQ(10, vsockdev_credit_tx_space(credit));

	EXPECT_TRUE(update(credit, 65536, origin + 65536));
	EXPECT_EQ(65536, vsockdev_credit_tx_space(credit));
}

TEST_F(credit, a_shrunk_window_gives_no_space_until_there_is_room)
{
	struct vsockdev_credit *credit = &self->credit;
	uint32_t origin = variant->origin;

	ASSERT_TRUE(update(credit, 65536, origin));
	vsockdev_credit_tx(credit, 60000);

	EXPECT_TRUE(update(credit, 30000, origin));
	EXPECT_EQ(0, vsockdev_credit_tx_space(credit));
	EXPECT_TRUE(update(credit, 0, origin));
	EXPECT_EQ(0, vsockdev_credit_tx_space(credit));
	EXPECT_TRUE(update(credit, 30000, origin + 30000));
	EXPECT_EQ(0, vsockdev_credit_tx_space(credit));
	EXPECT_TRUE(update(credit, 30000, origin + 30001));
	EXPECT_EQ(1, vsockdev_credit_tx_space(credit));
}

TEST_F(credit, the_largest_window_is_just_a_number)
{
	struct vsockdev_credit *credit = &self->credit;

	ASSERT_TRUE(update(credit, UINT32_MAX, variant->origin));
	EXPECT_EQ(UINT32_MAX, vsockdev_credit_tx_space(credit));
	vsockdev_credit_tx(credit, 100000);
	EXPECT_EQ(UINT32_MAX - 100000, vsockdev_credit_tx_space(credit));
}

TEST_F(credit, fwd_cnt_of_what_was_never_sent_changes_nothing)
{
	static const uint32_t ahead[] = { 1,	      2,
					  65536,      0x7fffffff,
					  0x80000000, UINT32_MAX - 500 };
	struct vsockdev_credit *credit = &self->credit, before;
	uint32_t sent = variant->origin + 500;

	ASSERT_TRUE(update(credit, 65536, variant->origin));
	vsockdev_credit_tx(credit, 500);
	before = *credit;
	for (size_t i = 0; i < ARRAY_SIZE(ahead); i++) {
		EXPECT_FALSE(update(credit, 4096, sent + ahead[i]));
		EXPECT_EQ(0, memcmp(&before, credit, sizeof(before)));
	}
}

TEST_F(credit, fwd_cnt_never_goes_back)
{
	struct vsockdev_credit *credit = &self->credit, before;
	uint32_t origin = variant->origin;

	ASSERT_TRUE(update(credit, 65536, origin));
	vsockdev_credit_tx(credit, 5000);
	ASSERT_TRUE(update(credit, 65536, origin + 4000));
	before = *credit;

	EXPECT_FALSE(update(credit, 65536, origin + 3999));
	EXPECT_EQ(0, memcmp(&before, credit, sizeof(before)));
}

TEST_F(credit, a_packet_leaves_room_for_others_and_is_never_empty)
{
	static const uint32_t windows[] = { 0,	   1,	   2,	      3,
					    4,	   7,	   8,	      4096,
					    65536, 262144, UINT32_MAX };
	struct vsockdev_credit *credit = &self->credit;

	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		uint32_t packet;

		ASSERT_TRUE(update(credit, windows[i], variant->origin));
		packet = vsockdev_credit_tx_packet(credit);
		EXPECT_LE(1, packet);
		EXPECT_LE(packet, windows[i] / 2 + 1);
	}
}

TEST_F(credit, sending_agrees_with_a_model_that_never_wraps)
{
	struct credit_tx_model model = { .origin = variant->origin };
	const char *wrong;

	for (int i = 0; i < ROUNDS; i++) {
		wrong = credit_tx_model_step(&model, &self->credit,
					     &self->state);
		ASSERT_EQ(NULL, wrong) {
			TH_LOG("round %d: %s", i, wrong);
		}
	}
	/* It has been both often, and the counters went round. */
	EXPECT_LT(1000, model.open);
	EXPECT_LT(1000, model.blocked);
	EXPECT_LT(1ULL << 32, model.sent);
}

TEST_F(credit, small_packets_left_unread_are_bounded_if_they_wait)
{
	static struct credit_small_model model;
	struct vsockdev_credit *credit = &self->credit;
	const char *wrong;

	memset(&model, 0, sizeof(model));
	model.origin = variant->origin;
	model.window = 65536;
	ASSERT_TRUE(update(credit, model.window, variant->origin));
	for (int i = 0; i < ROUNDS; i++) {
		wrong = credit_small_model_step(&model, credit, &self->state);
		ASSERT_EQ(NULL, wrong) {
			TH_LOG("round %d: %s", i, wrong);
		}
	}
	/* The limit is used, or this test shows nothing. */
	wrong = credit_small_model_fill(&model, credit);
	ASSERT_EQ(NULL, wrong) {
		TH_LOG("%s", wrong);
	}
}

TEST_F(credit, two_of_us_never_stall_and_never_overrun)
{
	static const uint32_t windows[] = { 1,	   2,	   3,
					    4096,  65536,  262144,
					    1 << 24 };
	struct credit_pair_model model;
	const char *wrong;

	for (size_t w = 0; w < ARRAY_SIZE(windows); w++) {
		credit_pair_init(&model, variant->origin, windows[w]);
		for (int i = 0; i < ROUNDS; i++) {
			wrong = credit_pair_step(&model, &self->state);
			ASSERT_EQ(NULL, wrong) {
				TH_LOG("window %u, round %d: %s", windows[w], i,
				       wrong);
			}
		}
		EXPECT_LT(1000, model.packets);
		EXPECT_LT(100, model.updates);
	}
}

/* 64 may be unread; those of which it is known that they were read go. */
TEST_F(credit, small_packets_that_were_read_make_room_for_others)
{
	struct vsockdev_credit *credit = &self->credit;
	unsigned int more = 0;

	ASSERT_TRUE(update(credit, 65536, variant->origin));
	for (int i = 0; i < 40; i++)
		vsockdev_credit_tx(credit, 100);
	ASSERT_TRUE(update(credit, 65536, variant->origin + 100));
	for (int i = 0; i < 20; i++)
		vsockdev_credit_tx(credit, 100);
	EXPECT_FALSE(vsockdev_credit_tx_should_wait(credit, 1));
	ASSERT_TRUE(update(credit, 65536, variant->origin + 3900));
	EXPECT_FALSE(vsockdev_credit_tx_should_wait(credit, 1));

	/* The first 40 were read, 20 may not have been. */
	ASSERT_TRUE(update(credit, 65536, variant->origin + 4000));
	while (!vsockdev_credit_tx_should_wait(credit, 1)) {
		vsockdev_credit_tx(credit, 100);
		more++;
	}
	EXPECT_EQ(44, more);
}

TEST_F(credit, only_small_packets_should_wait)
{
	struct vsockdev_credit *credit = &self->credit;

	ASSERT_TRUE(update(credit, 65536, variant->origin));
	EXPECT_FALSE(vsockdev_credit_tx_should_wait(credit, 1));
	for (int i = 0; i < 1000; i++)
		vsockdev_credit_tx(credit, 1);

	EXPECT_TRUE(vsockdev_credit_tx_should_wait(credit, 1));
	EXPECT_TRUE(vsockdev_credit_tx_should_wait(credit, SMALL - 1));
	EXPECT_FALSE(vsockdev_credit_tx_should_wait(credit, SMALL));
	EXPECT_FALSE(vsockdev_credit_tx_should_wait(credit, 60000));
}

TEST_F(credit, large_packets_make_none_wait)
{
	struct vsockdev_credit *credit = &self->credit;

	ASSERT_TRUE(update(credit, 262144, variant->origin));
	for (int i = 0; i < 250; i++)
		vsockdev_credit_tx(credit, SMALL);

	EXPECT_FALSE(vsockdev_credit_tx_should_wait(credit, 1));
}

TEST_F(credit, a_small_window_still_takes_some_small_packets)
{
	struct vsockdev_credit *credit = &self->credit;

	ASSERT_TRUE(update(credit, 4096, variant->origin));
	for (int i = 0; i < SMALL_MIN; i++) {
		ASSERT_FALSE(vsockdev_credit_tx_should_wait(credit, 1));
		vsockdev_credit_tx(credit, 1);
	}
	EXPECT_TRUE(vsockdev_credit_tx_should_wait(credit, 1));

	ASSERT_TRUE(update(credit, 4096, variant->origin + SMALL_MIN));
	EXPECT_FALSE(vsockdev_credit_tx_should_wait(credit, 1));
}

/* Whatever was sent: once the peer has read it, none has to wait. */
TEST_F(credit, small_packets_do_not_wait_when_all_is_read)
{
	struct vsockdev_credit *credit = &self->credit;
	uint64_t sent = 0;

	ASSERT_TRUE(update(credit, 65536, variant->origin));
	for (int i = 0; i < 1000; i++) {
		while (!vsockdev_credit_tx_should_wait(credit, 64)) {
			uint32_t len = 1 + random_below(&self->state, 64);

			vsockdev_credit_tx(credit, len);
			sent += len;
		}
		ASSERT_TRUE(update(credit, 65536, variant->origin + sent));
		ASSERT_FALSE(vsockdev_credit_tx_should_wait(credit, 1));
	}
}

TEST_F(credit, receiving_agrees_with_a_model_that_never_wraps)
{
	struct credit_rx_model model = { .origin = variant->origin };
	const char *wrong;

	for (int i = 0; i < ROUNDS; i++) {
		wrong = credit_rx_model_step(&model, &self->credit,
					     &self->state);
		ASSERT_EQ(NULL, wrong) {
			TH_LOG("round %d: %s", i, wrong);
		}
	}
	EXPECT_LT(1000, model.refused);
	EXPECT_LT(1ULL << 31, model.received);
}

/*
 * A peer that fills the window may never idle for want of an update, and does
 * not get one for each packet.
 */
TEST_F(credit, updates_are_due_at_half_the_window)
{
	struct vsockdev_credit at = credit_at(variant->origin, 65536);
	struct vsockdev_credit *credit = &at;
	uint32_t half = 32768;

	ASSERT_TRUE(vsockdev_credit_rx(credit, 65536));
	EXPECT_FALSE(vsockdev_credit_update_due(credit));

	vsockdev_credit_forwarded(credit, 1);
	EXPECT_FALSE(vsockdev_credit_update_due(credit));

	vsockdev_credit_forwarded(credit, half - 1);
	EXPECT_TRUE(vsockdev_credit_update_due(credit));

	EXPECT_EQ((uint32_t)(variant->origin + half),
		  vsockdev_credit_tell(credit));
	EXPECT_FALSE(vsockdev_credit_update_due(credit));

	vsockdev_credit_forwarded(credit, half);
	EXPECT_TRUE(vsockdev_credit_update_due(credit));
}

/* Linux has at most 256 KiB in mind, and does not ask. */
TEST_F(credit, updates_of_a_large_window_are_due_at_128_kib)
{
	struct vsockdev_credit credit = credit_at(variant->origin, 4 << 20);

	ASSERT_TRUE(vsockdev_credit_rx(&credit, 262144));
	vsockdev_credit_forwarded(&credit, 131071);
	EXPECT_FALSE(vsockdev_credit_update_due(&credit));

	vsockdev_credit_forwarded(&credit, 1);
	EXPECT_TRUE(vsockdev_credit_update_due(&credit));
}

/* Linux sends 256 KiB at most, whatever it is offered, and does not ask. */
TEST(updates_are_due_before_a_peer_of_small_means_waits)
{
	struct vsockdev_credit credit = credit_at(0, 16 << 20);

	ASSERT_TRUE(vsockdev_credit_rx(&credit, 262144));
	vsockdev_credit_forwarded(&credit, 131071);
	EXPECT_FALSE(vsockdev_credit_update_due(&credit));
	vsockdev_credit_forwarded(&credit, 1);
	EXPECT_TRUE(vsockdev_credit_update_due(&credit));
}

TEST(updates_are_due_for_every_window)
{
	static const uint32_t windows[] = { 1, 2, 3, 4096, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
		struct vsockdev_credit credit = credit_at(0, windows[i]);

		ASSERT_TRUE(vsockdev_credit_rx(&credit, windows[i]));
		EXPECT_FALSE(vsockdev_credit_update_due(&credit));
		vsockdev_credit_forwarded(&credit, windows[i]);
		EXPECT_TRUE(vsockdev_credit_update_due(&credit));
		EXPECT_EQ(windows[i], vsockdev_credit_tell(&credit));
	}
}

TEST_HARNESS_MAIN
