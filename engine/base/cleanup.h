/* SPDX-License-Identifier: Apache-2.0
 *
 * CLEANUP(function) on a local calls function(&local) when its scope ends. */
#pragma once

#define CLEANUP(function) __attribute__((cleanup(function)))
