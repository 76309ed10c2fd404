/* What a context knows beyond minisim.h. */
#ifndef MS_NET_CONTEXT_H
#define MS_NET_CONTEXT_H

#include "picture/prepare.h"

/* How pictures reach the network: what the options say, or else the weights. As long as the
 * context lives. */
const struct ms_preparation *ms_context_preparation(const minisim_context *context);

#endif
