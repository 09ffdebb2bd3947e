/* search_stores.h - fileSearchStores.*, with their documents and operations. The way in
 * by upload is upload.c's. */
#ifndef POLLUX_API_SEARCH_STORES_H
#define POLLUX_API_SEARCH_STORES_H

#include "api/api.h"

void search_route_create(struct call *call);
void search_route_list(struct call *call);
void search_route_get(struct call *call);
void search_route_delete(struct call *call);
void search_route_import(struct call *call);
void search_route_query(struct call *call);
void search_route_operation(struct call *call);
void search_route_upload_operation(struct call *call);
void search_route_documents(struct call *call);
void search_route_document(struct call *call);
void search_route_document_delete(struct call *call);

#endif
