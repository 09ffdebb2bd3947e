/* serve.h - `pollux serve`: opens everything, runs the loop, closes in reverse. */
#ifndef POLLUX_SERVE_H
#define POLLUX_SERVE_H

/* Exit statuses; docs/operations.md and --help promise them. */
enum serve_status {
    SERVE_OK = 0,
    SERVE_FAILED = 1,
    SERVE_USAGE = 2,    /* the command line is wrong */
    SERVE_NO_PORT = 3,  /* cannot listen there */
    SERVE_NO_MODEL = 4, /* the model is not on this machine */
};

int serve(int argc, char **argv);

#endif
