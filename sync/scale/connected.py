"""Whether orders hang together: places of items that no chain of answers joins cannot be compared."""

from collections import defaultdict

import numpy as np

from sync.orders import Pairs
from sync.votes import Ints

_SHOWN = 5
"""Items of a group that a sentence names."""


def groups(n: int, above: Ints, below: Ints) -> Ints:
    """Of each of n items its group: those that reach each other along the edges in both directions (Tarjan 1972).

    Groups are numbered by their first item. Edges given both ways make it the groups that hang together at all.
    """
    order = np.argsort(above, kind="stable")
    starts, to = np.searchsorted(above[order], np.arange(n + 1)).tolist(), below[order].tolist()
    found, low, index, stack, group = [-1] * n, [0] * n, 0, [], [-1] * n
    for root in range(n):
        if found[root] >= 0:
            continue
        work = [(root, starts[root])]
        while work:
            node, edge = work.pop()
            if found[node] < 0:
                found[node] = low[node] = index
                index += 1
                stack.append(node)
            while edge < starts[node + 1]:
                other = to[edge]
                if found[other] < 0:
                    work += [(node, edge), (other, starts[other])]
                    break
                if group[other] < 0:
                    low[node] = min(low[node], low[other])
                edge += 1
            else:
                if low[node] == found[node]:
                    while group[node] < 0:
                        group[stack.pop()] = node
    _, first, codes = np.unique(np.array(group, np.int64), return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[codes], np.int64)


def apart(items: Pairs, above: Ints, below: Ints, tie: Ints) -> list[str]:
    """A sentence for each query whose items no chain of comparisons joins, or of which some never lost to the others.

    Bradley and Terry's scores exist, without a prior, where neither is the case (Ford 1957).
    """
    n, tied = len(items), tie == 1
    both = np.concatenate([above, below]), np.concatenate([below, above])
    ways = np.concatenate([above, below[tied]]), np.concatenate([below, above[tied]])
    joined, strong = groups(n, *both), groups(n, *ways)
    of_query: dict[str, list[int]] = defaultdict(list)
    for item in np.unique(both[0]).tolist():
        of_query[items[item][0]].append(item)
    found = []
    for query_id, members in of_query.items():
        if len({joined[item] for item in members}) > 1:
            said = "nobody compared an item of one group with one of another, so that their scores say nothing together"
            found.append(f"query {query_id}: {said}: {_named(items, members, joined)}")
        elif len({strong[item] for item in members}) > 1:
            said = "some items never lost to the others, so that only the prior says how far apart they are"
            found.append(f"query {query_id}: {said}: {_named(items, members, strong)}")
    return found


def _named(items: Pairs, members: list[int], group: Ints) -> str:
    by_group: dict[int, list[str]] = defaultdict(list)
    for item in members:
        by_group[int(group[item])].append(items[item][1])
    named = [", ".join(docs[:_SHOWN]) + (" …" if len(docs) > _SHOWN else "") for _, docs in sorted(by_group.items())]
    more = f" | and {len(named) - _SHOWN} groups more" if len(named) > _SHOWN else ""
    return " | ".join(named[:_SHOWN]) + more
