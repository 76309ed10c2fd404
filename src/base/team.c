#include "base/team.h"

#include <signal.h>

/* Rounds of spinning before a member sleeps: 20 to 100 microseconds, as long as a pause takes here.
 */
enum { spins = 4000 };

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The last one to come opens the barrier. Whoever sleeps has said so before it looked again at
 * `meeting`, and `meeting` has changed before the last one looks for sleepers: none is forgotten.
 */
void ms_team_meet(struct ms_team *team) {
    if (team->size == 1)
        return;
    unsigned meeting = atomic_load(&team->meeting);
    if (atomic_fetch_sub(&team->away, 1) == 1) {
        atomic_store(&team->away, team->size);
        atomic_store(&team->meeting, meeting + 1);
        if (atomic_load(&team->sleepers) > 0) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_broadcast(&team->passed);
            pthread_mutex_unlock(&team->lock);
        }
        return;
    }
    for (unsigned i = 0; i < spins; i++) {
        if (atomic_load(&team->meeting) != meeting)
            return;
        relax();
    }
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add(&team->sleepers, 1);
    while (atomic_load(&team->meeting) == meeting)
        pthread_cond_wait(&team->passed, &team->lock);
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->lock);
}

static void *serve(void *argument) {
    struct ms_team_member *member = argument;
    struct ms_team *team = member->team;
    pthread_mutex_lock(&team->lock); /* until it is known how many there are */
    pthread_mutex_unlock(&team->lock);
    for (;;) {
        ms_team_meet(team);
        if (!team->work)
            return NULL;
        team->work(team->argument, member->number);
        ms_team_meet(team);
    }
}

void ms_team_close(struct ms_team *team) {
    if (team->size == 0)
        return;
    team->work = NULL;
    ms_team_meet(team);
    for (size_t i = 1; i < team->size; i++)
        pthread_join(team->members[i].thread, NULL);
    pthread_cond_destroy(&team->passed);
    pthread_mutex_destroy(&team->lock);
    team->size = 0;
}

bool ms_team_open(struct ms_team *team, size_t size) {
    enum { stack_bytes = 256 * 1024 };
    pthread_attr_t attributes;
    *team = (struct ms_team){.size = 1};
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->passed, NULL);
    /* Signals are for the caller's threads: handlers may want a larger stack. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&team->lock);
    for (; team->size < size; team->size++) {
        struct ms_team_member *member = &team->members[team->size];
        *member = (struct ms_team_member){.team = team, .number = team->size};
        if (pthread_create(&member->thread, &attributes, serve, member) != 0)
            break;
    }
    atomic_init(&team->away, team->size);
    pthread_mutex_unlock(&team->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (team->size < size)
        ms_team_close(team);
    return team->size == size;
}

void ms_team_run(struct ms_team *team, ms_team_work *work, void *argument) {
    team->work = work;
    team->argument = argument;
    ms_team_meet(team);
    work(argument, 0);
    ms_team_meet(team);
}
