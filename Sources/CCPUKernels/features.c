#include "CCPUKernels.h"
