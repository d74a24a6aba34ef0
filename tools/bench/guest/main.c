// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev-bench - the guest's side of the measurements
 *
 * Each measurement is done by both sides in turns, several rounds. Prints a
 * line for each result:
 *
 *	sample KEY SIDE VARIANT ROUND VALUE
 *
 * Two rounds before the first find out how much to do, and are not printed.
 */
#include <argp.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profile.h"

#define VARIANTS_MAX 4
#define GUARD_SECONDS 60
#define WINDOW (4 * MIB) /* of AF_VSOCK, at most */

static const struct variant plain[] = {
	{ .name = "plain" },
	{},
};

static const struct variant windows[] = {
	{ .name = "plain" },
	{ .name = "4m", .window = WINDOW },
	{},
};

static const struct variant copies[] = {
	{ .name = "64k,4m", .window = WINDOW, .piece = 64 * KIB },
	{ .name = "1m,4m", .window = WINDOW, .piece = MIB },
	{},
};

static const struct variant zerocopies[] = {
	{ .name = "zc-64k", .zerocopy = true, .piece = 64 * KIB },
	{ .name = "zc-64k,4m",
	  .zerocopy = true,
	  .window = WINDOW,
	  .piece = 64 * KIB },
	{ .name = "zc-1m,4m", .zerocopy = true, .window = WINDOW, .piece = MIB },
	{},
};

static const struct variant blocks[] = {
	{ .name = "socat-8k", .piece = 8 * KIB },
	{ .name = "socat-64k", .piece = 64 * KIB },
	{},
};

static const struct variant few[] = { { .name = "at-10", .idle = 10 }, {} };
static const struct variant many = { .name = "at-10k", .idle = 10000 };

static const struct measure measures[] = {
	{ { "h2g_bulk", "cpu_h2g" }, windows, measure_h2g },
	{ { "g2h_bulk", "cpu_g2h" }, windows, measure_g2h },
	{ { "g2h_splice" }, zerocopies, measure_splice },
	{ { "vmo_vs_write" }, copies, measure_vmo },
	{ { "vmo_vs_zerocopy" }, zerocopies, measure_vmo },
	{ { "msg64_g2h" }, windows, measure_msg64_g2h },
	{ { "msg64_h2g" }, windows, measure_msg64_h2g },
	{ { "rtt_1" }, plain, measure_rtt_1 },
	{ { "rtt_4k" }, plain, measure_rtt_4k },
	{ { "rtt_p99_under_bulk" }, windows, measure_rtt_p99 },
	{ { "fairness16" }, plain, measure_fairness },
	{ { "conn_rate" }, plain, measure_conn_rate },
	{ { "bridge_throughput", "bridge_cpu" }, blocks, measure_bridge },
	{ { "idle_bytes", "rtt_at_10k", "conn_rate_at_10k" },
	  few,
	  measure_idle,
	  &many },
	{},
};

/* What is measured on somebody else's host device. */
static const struct measure foreign[] = {
	{ { "g2h_vhost_device" }, windows, measure_g2h },
	{},
};

static struct {
	char *keys; /* NULL: all */
	int rounds;
	double seconds;
	bool profile;
	bool program;
} options = { NULL, 5, 0.5, false, false };

static const struct argp_option argp_options[] = {
	{ "keys", 'k', "KEY,...", 0, "what to measure (everything)", 0 },
	{ "rounds", 'r', "N", 0, "how often (5)", 0 },
	{ "seconds", 's', "S", 0, "for about so long each time (0.5)", 0 },
	{ "program", 'P', NULL, 0,
	  "the host's end of bulk is a program, not in the host device", 0 },
	{ "profile", 'p', NULL, 0, "tell where time goes, once for each", 0 },
	{},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)state;
	switch (key) {
	case 'k':
		options.keys = *arg ? arg : NULL;
		return 0;
	case 'r':
		options.rounds = atoi(arg);
		return 0;
	case 's':
		options.seconds = atof(arg);
		return 0;
	case 'P':
		options.program = true;
		return 0;
	case 'p':
		options.profile = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.doc = "Measures vsockdev and AF_VSOCK on the same device in turns.",
};

static char hang[256]; /* what to say then */

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static bool wanted(const char *key)
{
	size_t len = strlen(key);
	const char *at = options.keys;

	if (!at)
		return true;
	while ((at = strstr(at, key))) {
		if ((at == options.keys || at[-1] == ',') &&
		    (!at[len] || at[len] == ','))
			return true;
		at += len;
	}
	return false;
}

static bool any_wanted(const struct measure *measure)
{
	for (int i = 0; measure->keys[i]; i++)
		if (wanted(measure->keys[i]))
			return true;
	return false;
}

static void print_sample(const char *key, const struct run *run, int round,
			 double value)
{
	if (round > 0 && !isnan(value))
		printf("sample %s %s %s %d %.6g\n", key, run->label,
		       run->variant->name, round, value);
	fflush(stdout);
}

/* What limits both sides. */
static void print_machine(int round)
{
	static const struct run none = { .label = "none", .variant = plain };

	print_sample("memcpy", &none, round, memcpy_rate());
	print_sample("syscall", &none, round, syscall_cost());
}

/* Nothing here lasts that long but a hang. */
static void guard(const struct measure *measure, const struct run *run)
{
	snprintf(hang, sizeof(hang), "bench: %s hangs: %s, %s\n",
		 measure->keys[0], run->label, run->variant->name);
	alarm(GUARD_SECONDS + 10 * options.seconds);
}

/* The kernel's log gets to know who waits, and where. */
static void on_alarm(int sig)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	(void)sig;
	if (write(fd, "w", 1) < 0 ||
	    write(STDERR_FILENO, hang, strlen(hang)) < 0)
		_exit(2);
	_exit(1);
}

static void do_run(const struct measure *measure, struct run *run, int round)
{
	guard(measure, run);
	if (options.profile && round > 0) {
		profile(measure, run);
		return;
	}
	side_take(run->side);
	measure->run(run);
	for (int i = 0; measure->keys[i]; i++)
		if (wanted(measure->keys[i]))
			print_sample(measure->keys[i], run, round,
				     run->results[i]);
}

static struct run new_run(const struct side *side, const char *label,
			  const struct variant *variant)
{
	return (struct run){
		.side = side,
		.variant = variant,
		.label = label,
		.seconds = options.seconds,
		.direct = !options.program && !host_is_foreign(),
	};
}

static void do_measure(const struct measure *measure)
{
	const struct side *other = measure->own ? &side_ours : &side_peer;
	const struct variant *variant = measure->variants;
	struct run runs[VARIANTS_MAX];
	int count = 0;

	runs[count++] =
		new_run(&side_ours, side_ours.name, measure->own ?: plain);
	/* For a profile the last one, the best as a rule, will do. */
	while (options.profile && variant[1].name)
		variant++;
	for (; variant->name; variant++)
		runs[count++] = new_run(other, side_peer.name, variant);
	/* What takes long to begin has no rounds before the first. */
	for (int round = measure->own ? 1 : -1; round <= options.rounds;
	     round++) {
		for (int i = 0; i < count; i++)
			do_run(measure, &runs[i], round);
		print_machine(round);
	}
}

int main(int argc, char **argv)
{
	const struct measure *measure = measures;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	signal(SIGALRM, on_alarm);
	if (system("modprobe vmw_vsock_virtio_transport"))
		die("no in-tree driver");
	if (host_is_foreign())
		measure = foreign;
	for (; measure->run; measure++)
		if (any_wanted(measure))
			do_measure(measure);
	side_take(&side_ours);
	side_ours.stop();
	return 0;
}
