"""The only room that talks to Label Studio and to buckets: push, pull, consensus, quality, formats, bucket."""
