#pragma once
#include "cpu_features.h"
#include "vector.h"
#include "stream.h"
