/* SPDX-License-Identifier: Apache-2.0
 *
 * What a fuzz target is. It decodes one input and asserts what must hold of the result. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
