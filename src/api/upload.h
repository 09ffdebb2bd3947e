/* upload.h - bytes of files, in every way that clients send them. */
#ifndef POLLUX_API_UPLOAD_H
#define POLLUX_API_UPLOAD_H

#include "api/api.h"

struct upload_call;

/* Called when the header is complete; takes the body as it arrives. */
void upload_arrive(struct call *call);

/* The server is stopping: those whose body still arrives are told. */
void upload_stop(struct upload_call *u);
struct upload_call *upload_next(const struct upload_call *u);

#endif
