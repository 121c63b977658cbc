"""What was said: the audio of calls, safe and checked, and its text.

Read `due` (when a call owes audio and text), `files` (from the PBX's folder into the store), `speech` (sound to words:
`turns` says who is next, `packing` who shares a window, `whisper` is what runs in a process of its own), `transcript`
(words to a conversation), `storing` and `transcribing` (do it) and `rows` (what is kept of it). What takes a core for
seconds runs in `processes`. `talk_facts` (what words tell, by the phrases of `spoken`) is done by `measuring`;
`moments` says where a search was answered, `export` and `subtitles` what is taken away. `transcribe_file` is the same
engine on any file. Only `whisper` and `model` run Whisper, only `files` touches audio files; this room never speaks to
a PBX, and an original is removed only after its copy was read back and found equal.
"""
