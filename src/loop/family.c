/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads /proc for warden.c, whose process was forked off a program that may have threads, and for
 * commands.c, which may run in a signal handler. So nothing that they call there allocates, locks
 * or uses stdio: directories are read by their system call, and texts are taken apart by hand.
 *
 * Invariant: a process is looked at directly before it is killed, so that its number has not become
 * another's. To know more of a process, add a field to struct mwi_family_process.
 */
#include "loop/family.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 48
/* Of the descendants of a process whose memory is counted. */
#define DEPTH_MAX 8

/* An entry of a directory, as the system call writes it. */
struct entry {
    uint64_t inode;
    int64_t next;
    uint16_t size;
    unsigned char type;
    char name[];
};

/* Where reading an environment stands. */
struct search {
    const char *wanted; /* the variable's name, with "="; then the farm's name, with ":" */
    size_t matched;     /* bytes of it; SIZE_MAX: this part is another's */
    enum { IN_NAME, IN_MARKS, IN_SERIAL } stage;
    uint64_t serial;
};

void mwi_family_make_name(char name[MWI_FAMILY_NAME_BYTES])
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(name, MWI_FAMILY_NAME_BYTES, "%ld-%llx", (long)getpid(),
             (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec);
}

void mwi_family_write_marks(char marks[MWI_FAMILY_MARKS_BYTES], const char *mark)
{
    const char *others = getenv(MWI_FAMILY_VARIABLE);
    snprintf(marks, MWI_FAMILY_MARKS_BYTES, "%s%s%s", mark, others == NULL ? "" : " ",
             others == NULL ? "" : others);
}

/* Writes "/proc/PID/FILE". */
static void write_path(char path[PATH_SIZE], pid_t pid, const char *file)
{
    char digits[20];
    size_t first = sizeof digits, length = 6;
    memcpy(path, "/proc/", length);
    do {
        digits[--first] = (char)('0' + pid % 10);
        pid /= 10;
    } while (pid > 0);
    memcpy(path + length, digits + first, sizeof digits - first);
    length += sizeof digits - first;
    path[length++] = '/';
    memcpy(path + length, file, strlen(file) + 1);
}

static int open_file(pid_t pid, const char *file)
{
    char path[PATH_SIZE];
    write_path(path, pid, file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static ssize_t read_some(int fd, char *bytes, size_t size)
{
    ssize_t got;
    do
        got = read(fd, bytes, size);
    while (got < 0 && errno == EINTR);
    return got;
}

/* The number at *text, which moves behind it. */
static uint64_t take_number(const char **text)
{
    uint64_t number = 0;
    while (**text >= '0' && **text <= '9')
        number = number * 10 + (uint64_t)(*(*text)++ - '0');
    return number;
}

/* The number that stands `fields_count` spaces behind `text`; 0 if none does. */
static uint64_t number_behind(const char *text, int fields_count)
{
    while (fields_count > 0 && *text != '\0')
        fields_count -= *text++ == ' ';
    return take_number(&text);
}

bool mwi_family_read(pid_t pid, struct mwi_family_process *process)
{
    char text[512];
    int fd = open_file(pid, "stat");
    if (fd < 0)
        return false;
    ssize_t size = read_some(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0)
        return false;
    text[size] = '\0';
    /* The text is "PID (NAME) STATE PARENT GROUP SESSION ...", and NAME may hold any character. */
    const char *name_end = strrchr(text, ')');
    if (name_end == NULL || name_end[1] != ' ' || name_end[2] == '\0')
        return false;
    *process = (struct mwi_family_process){.pid = pid,
                                           .parent = (pid_t)number_behind(name_end, 2),
                                           .session = (pid_t)number_behind(name_end, 4),
                                           .start = number_behind(name_end, 20),
                                           .state = name_end[2]};
    return true;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Takes a byte of a mark's serial; whether the mark ends well with it. */
static bool take_serial(struct search *search, char byte)
{
    if (is_digit(byte))
        search->serial = search->serial * 10 + (uint64_t)(byte - '0');
    return byte == ' ' || byte == '\0';
}

/* Compares a byte with the next one that is wanted; whether all of it has been seen. */
static bool match(struct search *search, char byte)
{
    if (search->matched == SIZE_MAX || search->wanted[search->matched] != byte) {
        search->matched = SIZE_MAX;
        return false;
    }
    return search->wanted[++search->matched] == '\0';
}

/* Takes the next byte of an environment; whether a mark of the farm ends with it. */
static bool take_byte(struct search *search, const char *name, char byte)
{
    if (search->stage == IN_SERIAL && take_serial(search, byte))
        return true;
    if (byte == '\0') {
        *search = (struct search){.wanted = MWI_FAMILY_VARIABLE "=", .stage = IN_NAME};
    } else if (search->stage == IN_NAME && match(search, byte)) {
        *search = (struct search){.wanted = name, .stage = IN_MARKS};
    } else if (search->stage == IN_MARKS && byte == ' ') {
        search->matched = 0;
    } else if (search->stage == IN_MARKS && byte == ':' && search->matched != SIZE_MAX &&
               name[search->matched] == '\0') {
        search->stage = IN_SERIAL;
        search->serial = 0;
    } else if (search->stage == IN_MARKS) {
        (void)match(search, byte);
    }
    return false;
}

/* Reads a file of /proc that holds numbers; they are cut at the end of the text. */
static bool read_numbers(pid_t pid, const char *file, char *text, size_t size)
{
    int fd = open_file(pid, file);
    if (fd < 0)
        return false;
    ssize_t got = read_some(fd, text, size - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* The file "task/PID/children" of a process. */
static void write_children_file(char file[PATH_SIZE], pid_t pid)
{
    char path[PATH_SIZE];
    write_path(path, pid, "children");
    memcpy(file, "task/", 5);
    memcpy(file + 5, path + strlen("/proc/"), strlen(path) - strlen("/proc/") + 1);
}

typedef size_t measure_fn(pid_t pid);

static size_t measure_resident(pid_t pid)
{
    char text[256];
    if (!read_numbers(pid, "statm", text, sizeof text))
        return 0;
    return number_behind(text, 1) * (size_t)sysconf(_SC_PAGESIZE);
}

/* The bytes in a line "\nNAME:   NUMBER kB"; false if the text has none. */
static bool find_kilobytes(const char *text, const char *name, size_t *bytes)
{
    const char *at = strstr(text, name);
    if (at == NULL)
        return false;
    at += strlen(name);
    at += strspn(at, " ");
    *bytes = take_number(&at) * 1024;
    return true;
}

/* Linux before 5.3 does not tell pages of files from the others. */
static size_t measure_shares(pid_t pid)
{
    char text[2048];
    size_t own, shared, all;
    if (!read_numbers(pid, "smaps_rollup", text, sizeof text))
        return measure_resident(pid);
    if (find_kilobytes(text, "\nPss_Anon:", &own) && find_kilobytes(text, "\nPss_Shmem:", &shared))
        return own + shared;
    return find_kilobytes(text, "\nPss:", &all) ? all : measure_resident(pid);
}

/* A space stands behind each number of a child, so one that was cut is not taken for another. */
static size_t sum_descendants(pid_t pid, measure_fn *measure, int depth)
{
    char text[4096], file[PATH_SIZE];
    size_t bytes = 0;
    write_children_file(file, pid);
    if (depth == DEPTH_MAX || !read_numbers(pid, file, text, sizeof text))
        return 0;
    for (const char *at = text; *at >= '0' && *at <= '9'; at++) {
        pid_t child = (pid_t)take_number(&at);
        if (*at != ' ')
            break;
        bytes += measure(child) + sum_descendants(child, measure, depth + 1);
    }
    return bytes;
}

size_t mwi_family_resident_bytes(pid_t pid)
{
    return sum_descendants(pid, measure_resident, 0);
}

size_t mwi_family_memory_bytes(pid_t pid)
{
    return sum_descendants(pid, measure_shares, 0);
}

bool mwi_family_is_marked(pid_t pid, const char *name, uint64_t *serial)
{
    char bytes[2048];
    ssize_t size;
    bool is_found = false;
    struct search search = {.wanted = MWI_FAMILY_VARIABLE "=", .stage = IN_NAME};
    int fd = open_file(pid, "environ");
    if (fd < 0)
        return false;
    while (!is_found && (size = read_some(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < size && !is_found; i++)
            is_found = take_byte(&search, name, bytes[i]);
    close(fd);
    if (is_found)
        *serial = search.serial;
    return is_found;
}

/* A walk over the processes of the machine. */
struct walk {
    mwi_family_judge_fn *judge;
    void *context;
    const struct mwi_family_room *room; /* NULL: what is chosen is killed at once */
    size_t count;                       /* in the room */
    size_t chosen_count;
};

/* Linux lists processes in the order of their numbers, by which find_kept looks for them. */
static bool has_place(const struct walk *walk, const struct mwi_family_process *process)
{
    if (walk->room == NULL || walk->count == walk->room->capacity)
        return false;
    return walk->count == 0 || walk->room->items[walk->count - 1].pid < process->pid;
}

static void visit(struct walk *walk, struct mwi_family_process *process)
{
    bool is_kept = has_place(walk, process);
    process->is_chosen = walk->judge(walk->context, process);
    if (process->is_chosen && !is_kept && kill(process->pid, SIGKILL) != 0)
        return;
    walk->chosen_count += process->is_chosen;
    if (is_kept)
        walk->room->items[walk->count++] = *process;
}

/* Visits the process of a directory's entry, if it is one that lives. */
static void visit_entry(struct walk *walk, const struct entry *entry)
{
    struct mwi_family_process process;
    const char *at = entry->name;
    if (!is_digit(*at))
        return;
    pid_t pid = (pid_t)take_number(&at);
    if (*at != '\0' || pid <= 1 || pid == getpid() || !mwi_family_read(pid, &process))
        return;
    if (process.state != 'Z' && process.state != 'X')
        visit(walk, &process);
}

static void walk_all(struct walk *walk)
{
    _Alignas(struct entry) char bytes[4096];
    long size;
    int directory = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return;
    while ((size = syscall(SYS_getdents64, directory, bytes, sizeof bytes)) > 0)
        for (long at = 0; at < size;) {
            const struct entry *entry = (const struct entry *)(bytes + at);
            visit_entry(walk, entry);
            at += entry->size;
        }
    close(directory);
}

size_t mwi_family_kill(mwi_family_judge_fn *judge, void *context)
{
    struct walk walk = {.judge = judge, .context = context};
    walk_all(&walk);
    return walk.chosen_count;
}

/* The process in the room that has this number; NULL if there is none. */
static const struct mwi_family_process *find_kept(const struct walk *walk, pid_t pid)
{
    const struct mwi_family_process *items = walk->room->items;
    size_t first = 0, end = walk->count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (items[middle].pid == pid)
            return &items[middle];
        if (items[middle].pid < pid)
            first = middle + 1;
        else
            end = middle;
    }
    return NULL;
}

static bool has_chosen_parent(const struct walk *walk, const struct mwi_family_process *process)
{
    const struct mwi_family_process *parent = find_kept(walk, process->parent);
    return parent != NULL && parent->is_chosen;
}

/* Chooses the children of those that are chosen, and returns how many were not chosen before. */
static size_t choose_children(struct walk *walk)
{
    size_t count = 0;
    for (size_t i = 0; i < walk->count; i++) {
        struct mwi_family_process *process = &walk->room->items[i];
        if (process->is_chosen || !has_chosen_parent(walk, process))
            continue;
        process->is_chosen = true;
        count++;
    }
    return count;
}

/* The walk may have looked at the process a while ago. */
static bool kill_chosen(const struct mwi_family_process *process)
{
    struct mwi_family_process now;
    return process->is_chosen && mwi_family_read(process->pid, &now) &&
           now.start == process->start && kill(process->pid, SIGKILL) == 0;
}

size_t mwi_family_kill_trees(const struct mwi_family_room *room, mwi_family_judge_fn *judge,
                             void *context)
{
    struct walk walk = {.judge = judge, .context = context, .room = room};
    size_t killed_count = 0;
    walk_all(&walk);
    if (walk.chosen_count == 0)
        return 0;
    while (choose_children(&walk) > 0)
        ;
    for (size_t i = 0; i < walk.count; i++)
        killed_count += kill_chosen(&room->items[i]);
    return killed_count;
}
