/* SPDX-License-Identifier: Apache-2.0
 *
 * Which known word did the user mean? */
#pragma once

#include "engine/base/bytes.h"

/* How many letters must be put in, left out, changed or swapped with their neighbour to make one
 * word of the other. Words over 64 bytes count by their first 64. */
uint32_t nearest_distance(struct bytes a, struct bytes b);

/* Is a word at this distance worth naming? Half of the letters must stand. */
bool nearest_is_near(struct bytes word, uint32_t distance);
