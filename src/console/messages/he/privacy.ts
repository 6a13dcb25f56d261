export const privacy = {
  retention: 'כמה זמן נשמר מידע',
  retentionIntro: 'בימים. מה שישן יותר נמחק מעצמו.',
  messageDays: 'הודעות',
  callDays: 'שיחות',
  recordingDays: 'הקלטות',
  forever: 'ריק: לתמיד.',
  erasure: 'מחיקת אדם',
  erasureIntro:
    'מוחק כל מה שנשמר על אדם: הודעות, שיחות, הקלטות, לידים, הערות ותורים. תשלומים נשארים ברישום בלי פרטי האדם.',
  person: 'שם או מספר',
  noPerson: 'אין אדם עם השם או המספר הזה.',
  erase: 'מחיקה',
  eraseQuestion: 'אי אפשר לבטל את זה.',
  erased:
    'נמחקו: {messages, plural, one {הודעה אחת} two {שתי הודעות} other {# הודעות}}, {calls, plural, one {שיחה אחת} two {שתי שיחות} other {# שיחות}}, {leads, plural, one {ליד אחד} two {שני לידים} other {# לידים}}, {notes, plural, one {הערה אחת} two {שתי הערות} other {# הערות}}, {appointments, plural, one {תור אחד} two {שני תורים} other {# תורים}}, {files, plural, one {קובץ אחד} two {שני קבצים} other {# קבצים}}.',
} as const
