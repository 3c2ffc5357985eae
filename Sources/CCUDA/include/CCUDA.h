#pragma once
#include "driver.h"
#include "nvrtc.h"
