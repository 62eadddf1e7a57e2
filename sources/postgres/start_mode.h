/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of scan.startup.mode, in the order of the setting's choices. */
#pragma once

enum postgres_start_mode {
    MODE_INITIAL,
    MODE_LATEST,
    MODE_COMMITTED,
    MODE_SNAPSHOT,
    MODE_SPECIFIC
};
