// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest costs, as seen from outside. A guest itself would also count
 * the time in which somebody else had its processor.
 */
#include "cpu.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCESSES_MAX 4096

struct process {
	int pid;
	int parent;
	char name[32];
};

struct processes {
	int count;
	struct process of[PROCESSES_MAX];
};

static bool read_process(int pid, struct process *process)
{
	char path[64];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	process->pid = pid;
	n = fscanf(file, "%*d (%31[^)]) %*c %d", process->name,
		   &process->parent);
	fclose(file);
	return n == 2;
}

static void list(struct processes *processes)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	processes->count = 0;
	while (dir && (entry = readdir(dir)) &&
	       processes->count < PROCESSES_MAX) {
		int pid = atoi(entry->d_name);

		if (pid > 0 &&
		    read_process(pid, &processes->of[processes->count]))
			processes->count++;
	}
	if (dir)
		closedir(dir);
}

/* Of one thread; 0 if it has just gone. */
static double thread_seconds(int pid, const char *thread)
{
	unsigned long long ns = 0;
	char path[320];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, thread);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &ns) != 1)
		ns = 0;
	fclose(file);
	return ns / 1e9;
}

double cpu_of_process(int pid)
{
	struct dirent *entry;
	double sum = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			sum += thread_seconds(pid, entry->d_name);
	if (dir)
		closedir(dir);
	return sum;
}

static double tree_seconds(const struct processes *processes, int pid)
{
	double sum = cpu_of_process(pid);

	for (int i = 0; i < processes->count; i++)
		if (processes->of[i].parent == pid)
			sum += tree_seconds(processes, processes->of[i].pid);
	return sum;
}

/* The one that started it; NULL if there is none. */
static const struct process *find_guest(const struct processes *processes)
{
	int parent = getppid();

	for (int i = 0; i < processes->count; i++)
		if (processes->of[i].parent == parent &&
		    !strcmp(processes->of[i].name, "timeout"))
			return &processes->of[i];
	return NULL;
}

double cpu_of_guest(void)
{
	static struct processes processes;
	const struct process *guest;

	list(&processes);
	guest = find_guest(&processes);
	return guest ? tree_seconds(&processes, guest->pid) : -1;
}

int cpu_guest_process(void)
{
	static struct processes processes;
	const struct process *guest;

	list(&processes);
	guest = find_guest(&processes);
	for (int i = 0; guest && i < processes.count; i++)
		if (processes.of[i].parent == guest->pid)
			return processes.of[i].pid;
	return -1;
}

void cpu_prefer_guest(const char *nice)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/autogroup", cpu_guest_process());
	file = fopen(path, "we");
	if (!file)
		return;
	fputs(nice, file);
	fclose(file);
}
