/*
 * A team of threads that work on one thing together, made once: the caller is member 0, the others
 * wait until it calls them. They meet at barriers, where they spin briefly, because the next piece
 * of work is microseconds away, and then sleep, because it may not be.
 */
#ifndef MS_BASE_TEAM_H
#define MS_BASE_TEAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { MS_TEAM_MAX = 64 };

typedef void ms_team_work(void *argument, size_t member);

struct ms_team {
    size_t size;         /* members, the caller included; 1: no threads at all */
    atomic_size_t away;  /* members that have not yet reached the barrier */
    atomic_uint meeting; /* how many barriers have been passed */
    atomic_uint sleepers;
    pthread_mutex_t lock;
    pthread_cond_t passed;
    ms_team_work *work; /* NULL: the end */
    void *argument;
    struct ms_team_member {
        struct ms_team *team;
        size_t number;
        pthread_t thread;
    } members[MS_TEAM_MAX];
};

/* Starts `size` - 1 threads (size from 1 to MS_TEAM_MAX). The team must not move. false: the system
 * gave fewer; the team is closed. */
bool ms_team_open(struct ms_team *team, size_t size);

/* Ends the threads. */
void ms_team_close(struct ms_team *team);

/* Calls `work` once for each member, at the same time; returns when all are done. */
void ms_team_run(struct ms_team *team, ms_team_work *work, void *argument);

/* Inside `work`: waits until all members are here. What they wrote before, all see afterwards. */
void ms_team_meet(struct ms_team *team);

#endif
