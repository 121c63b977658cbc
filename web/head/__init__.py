"""What a head sees and does, and the wallboard: read `floor` (who does what now), `figures`, `board`, then the pages.

`overhearing` has a head listen to a call, whisper or join. Nothing here changes a call; whom rights let in is said by
`web.rights`.
"""
