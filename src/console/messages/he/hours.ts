export const hours = {
  closed: 'סגור',
  from: '{day}, משעה',
  to: '{day}, עד שעה',
  addSpan: '{day}: הוספת שעות',
  removeSpan: '{day}: הסרת השעות האלה',
} as const
