"""item-reader: turns an ItemReader into a bounded, resumable stream of item frames on the lanes it is asked for.

Consumes item-asks, and of home the children that a redrive runs again; produces items, and SourceOpened, ItemsRead,
SourceEnded, SourceFailed on home. Its name is taken on cluster, how it is doing is said on process-reports. Decides
nothing: lane and position of every item stand in the ask. Owns how the items are cut into frames.
"""
