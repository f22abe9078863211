// What userspace/precompiled.hpp is for the sources, for the tests: GoogleTest besides.
#include <gtest/gtest.h>

#include "userspace/precompiled.hpp"
