/* SPDX-License-Identifier: Apache-2.0
 *
 * Files with keys: closed to others from their first byte, made once by however many make them,
 * and refused if somebody else could have put them there. The file system is the real one. Where a
 * case needs one with fewer abilities, or that fails, this program's own functions stand in the
 * place of the C library's.
 */
#include "record/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_run.h"
#include "record/key_file.h"

#define WHAT "key file"
#define NOBODY 65534

/* The faults of the file system. */
static struct {
    bool has_no_links;     /* link(2) is not permitted, as on vfat */
    bool has_lost_answers; /* link(2) is done, but the answer is lost, and the second try fails */
    bool is_without_noreplace; /* renameat2(2) knows no RENAME_NOREPLACE */
    bool has_no_modes;         /* all files are open to all */
    int stale_opens;           /* the number of opens for reading that will fail with ESTALE */
    size_t write_bytes;        /* a write takes no more bytes; 0: any number */
} faults;

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    if (faults.has_no_links) {
        errno = EPERM;
        return -1;
    }
    int result = (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
    if (result == 0 && faults.has_lost_answers) {
        errno = EEXIST;
        return -1;
    }
    return result;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    if (faults.is_without_noreplace && flags != 0) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

int fchmod(int fd, mode_t mode)
{
    if (faults.has_no_modes) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_fchmod, fd, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? (mode_t)va_arg(arguments, int) : 0;
    va_end(arguments);
    if (faults.stale_opens > 0 && (flags & O_CREAT) == 0) {
        faults.stale_opens--;
        errno = ESTALE;
        return -1;
    }
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

ssize_t write(int fd, const void *data, size_t size)
{
    bool is_short = faults.write_bytes > 0 && size > faults.write_bytes && fd > STDERR_FILENO;
    return syscall(SYS_write, fd, data, is_short ? faults.write_bytes : size);
}

static mw_error read_text(const char *path, char text[64], mw_reason *why)
{
    struct mwi_secret content;
    size_t size = 0;
    mw_error error = mwi_private_file_read(WHAT, path, 63, &content, &size, why);
    snprintf(text, 64, "%s", error == MW_OK ? (const char *)content.data : "");
    CU_ASSERT_TRUE(error != MW_OK || strlen(text) == size);
    if (error == MW_OK)
        mwi_secret_fini(&content);
    return error;
}

/* Checks that the file is refused with a sentence that has this part, as it can be read by root
 * after all. */
static void check_refused(const char *path, mw_error expected, const char *part)
{
    char text[64];
    mw_reason why = {""};
    CU_ASSERT_EQUAL(read_text(path, text, &why), expected);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, WHAT " \""));
    if (strstr(why.text, part) == NULL)
        CU_FAIL("the sentence says something else");
}

static void write_private(const char *path, const char *text)
{
    mw_reason why = {""};
    CU_ASSERT_EQUAL_FATAL(mwi_private_file_replace(WHAT, path, text, strlen(text), &why), MW_OK);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    CU_ASSERT_EQUAL(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

/* Under any umask the file is its owner's alone, and the owner can read it. */
static void test_modes(void)
{
    static const mode_t masks[] = {0, 022, 077, 0277, 0777};
    struct mwt_folder folder;
    bool is_new = false;
    mw_reason why = {""};
    mwt_folder_create(&folder);

    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        mode_t before = umask(masks[i]);
        write_private(mwt_folder_file(&folder, "replaced"), "a");
        CU_ASSERT_EQUAL(mode_of(folder.file), 0600);
        CU_ASSERT_EQUAL(mwi_private_file_create(WHAT, mwt_folder_file(&folder, "created"), "a", 1,
                                                &is_new, &why),
                        MW_OK);
        CU_ASSERT_EQUAL(mode_of(folder.file), 0600);
        CU_ASSERT_TRUE(is_new);
        umask(before);
        CU_ASSERT_EQUAL(mwt_folder_files(&folder, true), 2);
    }

    mwt_folder_destroy(&folder);
}

/* A file that others may read, write or execute is refused, and the sentence says what helps. */
static void test_open_to_others(void)
{
    struct mwt_folder folder;
    char text[64], remedy[512];
    mw_reason why = {""};
    mwt_folder_create(&folder);
    write_private(mwt_folder_file(&folder, "key"), "secret");
    snprintf(remedy, sizeof remedy, "chmod 600 %s", folder.file);

    for (mode_t bit = 1; bit < 0100; bit <<= 1) {
        CU_ASSERT_EQUAL(chmod(folder.file, 0600 | bit), 0);
        check_refused(folder.file, MW_EIO, remedy);
    }
    CU_ASSERT_EQUAL(chmod(folder.file, 0400), 0);
    CU_ASSERT_EQUAL(read_text(folder.file, text, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(text, "secret");
    mwt_folder_destroy(&folder);
}

/* Runs the check as another user, in a child: only root can. */
static void run_as_nobody(void (*check)(const char *path), const char *path)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        unsigned before = CU_get_number_of_failures();
        bool is_nobody = setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
                         setresuid(NOBODY, NOBODY, NOBODY) == 0;
        if (is_nobody)
            check(path);
        _exit(is_nobody && CU_get_number_of_failures() == before ? 0 : 1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
}

static void check_others_file(const char *path)
{
    char belongs[64];
    snprintf(belongs, sizeof belongs, "or to the user that this process runs as, %d", NOBODY);
    check_refused(path, MW_EIO, belongs);
}

static void check_unreadable(const char *path)
{
    check_refused(path, MW_EIO, strerror(EACCES));
}

/* Another user's file is refused, also by root. Root's own file is good for all who can read it. */
static void test_owners(void)
{
    struct mwt_folder folder;
    if (geteuid() != 0)
        return;
    mwt_folder_create(&folder);
    CU_ASSERT_EQUAL(chmod(folder.path, 0755), 0);
    write_private(mwt_folder_file(&folder, "key"), "secret");

    run_as_nobody(check_unreadable, folder.file);
    CU_ASSERT_EQUAL(chown(folder.file, 1, 1), 0);
    check_refused(folder.file, MW_EIO, "it belongs to the user 1");
    CU_ASSERT_EQUAL(chown(folder.file, NOBODY, NOBODY), 0);
    check_refused(folder.file, MW_EIO, "it belongs to the user 65534");
    CU_ASSERT_EQUAL(chmod(folder.file, 0604), 0);
    CU_ASSERT_EQUAL(chown(folder.file, 1, 1), 0);
    run_as_nobody(check_others_file, folder.file);
    mwt_folder_destroy(&folder);
}

/* A FIFO, a device, a folder and a socket's place are no files, and nobody waits at them. */
static void test_no_file(void)
{
    struct mwt_folder folder;
    char text[64];
    mw_reason why = {""};
    mwt_folder_create(&folder);
    CU_ASSERT_EQUAL(mkfifo(mwt_folder_file(&folder, "fifo"), 0600), 0);

    check_refused(folder.file, MW_EIO, "it is not a regular file");
    CU_ASSERT_EQUAL(mwi_private_file_replace(WHAT, folder.file, "a", 1, &why), MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "it is there, and not a regular file"));
    check_refused(folder.path, MW_EIO, "it is not a regular file");
    check_refused("/dev/zero", MW_EIO, "it is not a regular file");
    check_refused(mwt_folder_file(&folder, "missing"), MW_EUNAVAILABLE, strerror(ENOENT));
    CU_ASSERT_EQUAL(read_text("/dev/null/key", text, &why), MW_EIO);
    mwt_folder_destroy(&folder);
}

/* The user's own links and root's are followed, one after the other, and a link to nothing is a
 * place for a new file. */
static void test_own_links(void)
{
    struct mwt_folder folder;
    char text[64], link[384];
    char *located = NULL;
    bool is_new = false;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    snprintf(link, sizeof link, "%s", mwt_folder_file(&folder, "link"));
    CU_ASSERT_EQUAL(symlink("second", link), 0);
    CU_ASSERT_EQUAL(symlink("key", mwt_folder_file(&folder, "second")), 0);

    CU_ASSERT_EQUAL(read_text(link, text, &why), MW_EUNAVAILABLE);
    CU_ASSERT_EQUAL_FATAL(mwi_private_file_locate(WHAT, link, &located, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_private_file_create(WHAT, located, "new", 3, &is_new, &why), MW_OK);

    CU_ASSERT_TRUE(is_new);
    CU_ASSERT_STRING_EQUAL(located, mwt_folder_file(&folder, "key"));
    CU_ASSERT_EQUAL(read_text(link, text, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(text, "new");
    free(located);
    mwt_folder_destroy(&folder);
}

/* Another user's link is not followed, neither to a file of this user, nor to nothing, nor to a
 * place that this user may write; and a circle of links is an error. */
static void test_links_of_others(void)
{
    struct mwt_folder folder;
    char *located = NULL;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    write_private(mwt_folder_file(&folder, "key"), "secret");
    CU_ASSERT_EQUAL(symlink("circle", mwt_folder_file(&folder, "circle")), 0);
    check_refused(folder.file, MW_EIO, strerror(ELOOP));
    if (geteuid() == 0) {
        static const char *const targets[] = {"key", "missing", "/dev/null"};
        for (size_t i = 0; i < 3; i++) {
            const char *link = mwt_folder_file(&folder, "link");
            CU_ASSERT_EQUAL(symlink(targets[i], link), 0);
            CU_ASSERT_EQUAL(lchown(link, NOBODY, NOBODY), 0);
            check_refused(link, MW_EIO, "it is a symbolic link of another user");
            CU_ASSERT_EQUAL(mwi_private_file_locate(WHAT, link, &located, &why), MW_EIO);
            CU_ASSERT_EQUAL(unlink(link), 0);
        }
    }
    mwt_folder_destroy(&folder);
}

/* A link that somebody puts in the place between the look and the write is replaced, and the file
 * that it leads to is not touched. */
static void test_link_in_the_way(void)
{
    struct mwt_folder folder;
    char text[64], victim[384];
    mw_reason why = {""};
    mwt_folder_create(&folder);
    snprintf(victim, sizeof victim, "%s", mwt_folder_file(&folder, "victim"));
    write_private(victim, "untouched");
    CU_ASSERT_EQUAL(symlink("victim", mwt_folder_file(&folder, "key")), 0);

    write_private(folder.file, "new");

    CU_ASSERT_EQUAL(read_text(victim, text, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(text, "untouched");
    CU_ASSERT_EQUAL(read_text(mwt_folder_file(&folder, "key"), text, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(text, "new");
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, false), 2);
    mwt_folder_destroy(&folder);
}

/* A folder in which anybody could replace the file is refused, a sticky one is not. One in which a
 * group could is good for a warning. */
static void test_folders(void)
{
    struct mwt_folder folder;
    bool is_new;
    mw_reason why = {""}, warning = {""};
    mwt_folder_create(&folder);
    write_private(mwt_folder_file(&folder, "key"), "secret");

    CU_ASSERT_FALSE(mwi_private_file_warn(WHAT, folder.file, &warning));
    CU_ASSERT_EQUAL(chmod(folder.path, 0777), 0);
    check_refused(folder.file, MW_EIO, "no sticky bit");
    CU_ASSERT_EQUAL(mwi_private_file_replace(WHAT, folder.file, "a", 1, &why), MW_EIO);
    CU_ASSERT_EQUAL(mwi_private_file_create(WHAT, folder.file, "a", 1, &is_new, &why), MW_EIO);
    CU_ASSERT_EQUAL(chmod(folder.path, 01777), 0);
    write_private(folder.file, "again");
    CU_ASSERT_FALSE(mwi_private_file_warn(WHAT, folder.file, &warning));
    CU_ASSERT_EQUAL(chmod(folder.path, 0770), 0);
    write_private(folder.file, "again");
    CU_ASSERT_TRUE(mwi_private_file_warn(WHAT, folder.file, &warning));
    CU_ASSERT_PTR_NOT_NULL(strstr(warning.text, "a group may replace it"));
    mwt_folder_destroy(&folder);
}

/* Of many processes that make the file at once, one does; all find the same file, and nothing else
 * is left. */
static void check_creators(unsigned rounds)
{
    enum { PROCESSES = 8 };
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    fflush(stdout);
    for (unsigned round = 0; round < rounds; round++) {
        pid_t children[PROCESSES];
        int gate[2], new_count = 0;
        const char *path = mwt_folder_file(&folder, "key");
        CU_ASSERT_EQUAL_FATAL(pipe(gate), 0);
        for (int i = 0; i < PROCESSES; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                char byte;
                bool is_new = false;
                mw_reason why;
                struct mwi_key_list list;
                close(gate[1]);
                ssize_t ignored = read(gate[0], &byte, 1);
                (void)ignored;
                mw_error error = mwi_key_file_create(path, &is_new, &why);
                if (error == MW_OK)
                    error = mwi_key_file_read(path, &list, &why);
                _exit(error != MW_OK ? 2 : is_new ? 1 : 0);
            }
        }
        close(gate[0]);
        close(gate[1]);
        for (int i = 0; i < PROCESSES; i++) {
            int status = -1;
            CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
            CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 2);
            new_count += WIFEXITED(status) && WEXITSTATUS(status) == 1;
        }
        CU_ASSERT_EQUAL(new_count, 1);
        CU_ASSERT_EQUAL(mode_of(path), 0600);
        CU_ASSERT_EQUAL(mwt_folder_files(&folder, true), 1);
    }
    mwt_folder_destroy(&folder);
}

/* Two masters, or eight, that create the key file at once, many times. */
static void test_creators(void)
{
    check_creators(100);
}

/* The same where the file system knows no hard links. */
static void test_creators_without_links(void)
{
    faults.has_no_links = true;
    check_creators(50);
    faults.has_no_links = false;
}

/* The same where it cannot rename without replacing either, and where each write is a small one: a
 * half-written file is taken by nobody. */
static void test_creators_without_all(void)
{
    faults.has_no_links = true;
    faults.is_without_noreplace = true;
    faults.write_bytes = 3;
    check_creators(50);
    faults.write_bytes = 0;
    faults.is_without_noreplace = false;
    faults.has_no_links = false;
}

/* A server that has made the link but whose answer was lost has made the file. */
static void test_lost_answer(void)
{
    struct mwt_folder folder;
    bool is_new = false;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    faults.has_lost_answers = true;

    mw_error error =
        mwi_private_file_create(WHAT, mwt_folder_file(&folder, "key"), "new", 3, &is_new, &why);

    faults.has_lost_answers = false;
    CU_ASSERT_EQUAL(error, MW_OK);
    CU_ASSERT_TRUE(is_new);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, false), 1);
    mwt_folder_destroy(&folder);
}

/* A file that a server has replaced while it was opened is opened again; one that stays stale is
 * not there at the moment. */
static void test_stale(void)
{
    struct mwt_folder folder;
    char text[64];
    mw_reason why = {""};
    mwt_folder_create(&folder);
    write_private(mwt_folder_file(&folder, "key"), "secret");

    faults.stale_opens = 2;
    CU_ASSERT_EQUAL(read_text(folder.file, text, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(text, "secret");
    faults.stale_opens = 1000;
    check_refused(folder.file, MW_EUNAVAILABLE, strerror(ESTALE));
    faults.stale_opens = 0;
    mwt_folder_destroy(&folder);
}

/* A file system that opens all files to all holds no key. */
static void test_no_modes(void)
{
    struct mwt_folder folder;
    bool is_new = false;
    mw_reason why = {""}, other = {""};
    mwt_folder_create(&folder);
    mwt_folder_file(&folder, "key");
    faults.has_no_modes = true;

    CU_ASSERT_EQUAL(mwi_private_file_replace(WHAT, folder.file, "a", 1, &why), MW_EIO);
    CU_ASSERT_EQUAL(mwi_private_file_create(WHAT, folder.file, "a", 1, &is_new, &other), MW_EIO);

    faults.has_no_modes = false;
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "its file system cannot keep it from others"));
    CU_ASSERT_STRING_EQUAL(why.text, other.text);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, false), 0);
    mwt_folder_destroy(&folder);
}

/* Writes that fail leave the old file, and nothing else. */
static void check_failed_writes(struct mwt_folder *folder, const char *problem)
{
    static char large[1 << 20];
    char text[64];
    bool is_new;
    mw_reason why = {""};

    mw_error error =
        mwi_private_file_replace(WHAT, mwt_folder_file(folder, "key"), large, sizeof large, &why);
    CU_ASSERT_EQUAL(error, MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, problem));
    why.text[0] = '\0';
    error = mwi_private_file_create(WHAT, mwt_folder_file(folder, "new"), large, sizeof large,
                                    &is_new, &why);
    CU_ASSERT_EQUAL(error, MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, problem));

    CU_ASSERT_EQUAL(read_text(mwt_folder_file(folder, "key"), text, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(text, "old");
    CU_ASSERT_EQUAL(mwt_folder_files(folder, false), 1);
}

/* The limit of a file's size. */
static void test_size_limit(void)
{
    struct mwt_folder folder;
    struct rlimit old;
    mwt_folder_create(&folder);
    write_private(mwt_folder_file(&folder, "key"), "old");
    getrlimit(RLIMIT_FSIZE, &old);
    struct rlimit small = {.rlim_cur = 1000, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

    setrlimit(RLIMIT_FSIZE, &small);
    check_failed_writes(&folder, strerror(EFBIG));
    setrlimit(RLIMIT_FSIZE, &old);

    signal(SIGXFSZ, handler);
    mwt_folder_destroy(&folder);
}

/* A full disk, where this process may mount one. */
static void test_full_disk(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    if (mount("none", folder.path, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=700") == 0) {
        write_private(mwt_folder_file(&folder, "key"), "old");
        check_failed_writes(&folder, strerror(ENOSPC));
        CU_ASSERT_EQUAL(umount2(folder.path, MNT_DETACH), 0);
    } else {
        puts("not run: no file system can be mounted here");
    }
    mwt_folder_destroy(&folder);
}

/* A file larger than the limit is refused; a missing folder is an error for a writer. */
static void test_limits(void)
{
    struct mwt_folder folder;
    bool is_new;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    write_private(mwt_folder_file(&folder, "key"),
                  "0123456789012345678901234567890123456789012345678901234567890123");

    check_refused(folder.file, MW_EIO, "it is larger than 63 bytes");
    CU_ASSERT_EQUAL(mwi_private_file_replace(WHAT, "/nonexistent-folder/key", "a", 1, &why),
                    MW_EIO);
    CU_ASSERT_EQUAL(mwi_private_file_create(WHAT, "/nonexistent-folder/key", "a", 1, &is_new, &why),
                    MW_EIO);
    CU_ASSERT_FALSE(mwi_private_file_warn(WHAT, "/nonexistent-folder/key", &why));
    mwt_folder_destroy(&folder);
}

/* Names of temporary files cannot be guessed: they are other ones each time. */
static void test_names(void)
{
    char one[MWI_PRIVATE_FILE_NAME_BYTES], other[MWI_PRIVATE_FILE_NAME_BYTES];

    CU_ASSERT_EQUAL(mwi_private_file_name(one), 0);
    CU_ASSERT_EQUAL(mwi_private_file_name(other), 0);

    CU_ASSERT_EQUAL(strlen(one), strlen(".mw-.tmp") + 32);
    CU_ASSERT_STRING_NOT_EQUAL(one, other);
}

/* The steps for a signal handler do not follow a link, and do not write into a file that is there
 * under the temporary name. */
static void test_put(void)
{
    struct mwt_folder folder;
    char temporary[384], text[64];
    mw_reason why = {""};
    mwt_folder_create(&folder);
    snprintf(temporary, sizeof temporary, "%s", mwt_folder_file(&folder, "temporary"));
    CU_ASSERT_EQUAL(symlink("victim", temporary), 0);

    CU_ASSERT_EQUAL(mwi_private_file_put(mwt_folder_file(&folder, "key"), temporary, "secret", 6),
                    EEXIST);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, true), 1);
    CU_ASSERT_EQUAL(mwi_private_file_put(mwt_folder_file(&folder, "key"), temporary, "secret", 6),
                    0);

    CU_ASSERT_EQUAL(read_text(folder.file, text, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(text, "secret");
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, false), 1);
    mwt_folder_destroy(&folder);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"modes", test_modes},
        {"open to others", test_open_to_others},
        {"owners", test_owners},
        {"no file", test_no_file},
        {"own links", test_own_links},
        {"links of others", test_links_of_others},
        {"link in the way", test_link_in_the_way},
        {"folders", test_folders},
        {"creators", test_creators},
        {"creators without links", test_creators_without_links},
        {"creators without links and renaming", test_creators_without_all},
        {"lost answer", test_lost_answer},
        {"stale", test_stale},
        {"no modes", test_no_modes},
        {"limit of size", test_size_limit},
        {"full disk", test_full_disk},
        {"limits", test_limits},
        {"names", test_names},
        {"put", test_put},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("private_file", tests);
}
