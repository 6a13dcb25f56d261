export const state = {
  loading: 'טוען…',
  retry: 'נסו שוב',
  failed: 'לא הצלחנו לטעון את זה.',
  more: 'עוד',
  forbidden: 'אין לכם הרשאה לזה.',
  noResults: 'אין תוצאות. נסו חיפוש אחר.',
  close: 'סגירה',
  cancel: 'ביטול',
  save: 'שמירה',
  undo: 'ביטול הפעולה',
  saved: 'נשמר',
  notices: 'הודעות המערכת',
} as const
