#pragma once
#include "cpu_features.h"
#include "matrix.h"
#include "vector.h"
#include "stream.h"
#include "peak.h"
