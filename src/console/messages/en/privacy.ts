export const privacy = {
  retention: 'How long things are kept',
  retentionIntro: 'In days. Older ones are deleted by themselves.',
  messageDays: 'Messages',
  callDays: 'Calls',
  recordingDays: 'Recordings',
  forever: 'Empty: for ever.',
  erasure: 'Erase a person',
  erasureIntro:
    'Deletes everything about a person: messages, calls, recordings, leads, notes and appointments. Payments stay in the books without the person.',
  person: 'Name or number',
  noPerson: 'No person with this name or number.',
  erase: 'Erase',
  eraseQuestion: 'This cannot be undone.',
  erased:
    'Erased: {messages, plural, one {one message} other {# messages}}, {calls, plural, one {one call} other {# calls}}, {leads, plural, one {one lead} other {# leads}}, {notes, plural, one {one note} other {# notes}}, {appointments, plural, one {one appointment} other {# appointments}}, {files, plural, one {one file} other {# files}}.',
} as const
