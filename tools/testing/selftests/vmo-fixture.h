/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything about one connection, for the programs vmo and vmo-end: on devices
 * that take one piece of payload or many, and tell of each return or of some.
 */
#ifndef VSOCKDEV_TEST_VMO_FIXTURE_H
#define VSOCKDEV_TEST_VMO_FIXTURE_H

FIXTURE(vmo) {
	struct fake fake;
	struct flow flow;
	int file;
};

FIXTURE_VARIANT(vmo) {
	uint64_t features;
};

FIXTURE_VARIANT_ADD(vmo, plain) {
	.features = 0,
};

FIXTURE_VARIANT_ADD(vmo, in_runs) {
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(vmo, event_idx) {
	.features = INDIRECT | (1ULL << VIRTIO_RING_F_EVENT_IDX),
};

FIXTURE_SETUP(vmo)
{
	struct fake_options options = { .features = variant->features };

	fake_open(&self->fake, &options);
	self->flow = flow_endless(&self->fake);
	self->file = scattered_file(MIB);
}

FIXTURE_TEARDOWN(vmo)
{
	close(self->file);
	fake_close(&self->fake);
}

#endif
