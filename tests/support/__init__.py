# SPDX-License-Identifier: Apache-2.0
"""What the tests, the benchmark and the quickstart share: servers, the agent, data, comparison."""
