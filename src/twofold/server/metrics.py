"""Request counters and histogram of one process, in Prometheus's text format."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

#: Upper bounds of the histogram's buckets (seconds).
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass
class Metrics:
    """Counters of a process; call `observe` for every answered request."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    sent: int = 0
    in_progress: int = 0

    def observe(self, method: str, status: int, seconds: float, sent: int) -> None:
        """Count a request; `sent` is the size of the response body in bytes."""
        self.requests[method, status] += 1
        self.seconds += seconds
        self.sent += sent
        for place, bound in enumerate(BOUNDS):
            if seconds <= bound:
                self.buckets[place] += 1
                return
        self.buckets[-1] += 1

    def render(self) -> str:
        """Return the metrics in Prometheus's text format."""
        lines = [
            "# HELP twofold_requests_total Requests answered.",
            "# TYPE twofold_requests_total counter",
        ]
        for (method, status), count in sorted(self.requests.items()):
            labels = f'method="{method}",status="{status}"'
            lines.append(f"twofold_requests_total{{{labels}}} {count}")
        lines += [
            "# HELP twofold_request_seconds How long requests took.",
            "# TYPE twofold_request_seconds histogram",
        ]
        total = 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.buckets, strict=True):
            total += count
            lines.append(f'twofold_request_seconds_bucket{{le="{bound}"}} {total}')
        lines += [
            f"twofold_request_seconds_sum {self.seconds:.6f}",
            f"twofold_request_seconds_count {total}",
            "# HELP twofold_sent_bytes_total Bytes of answers' bodies.",
            "# TYPE twofold_sent_bytes_total counter",
            f"twofold_sent_bytes_total {self.sent}",
            "# HELP twofold_requests_under_way Requests that are being answered.",
            "# TYPE twofold_requests_under_way gauge",
            f"twofold_requests_under_way {self.in_progress}",
        ]
        return "\n".join(lines) + "\n"
