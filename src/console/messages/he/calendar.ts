export const calendar = {
  title: 'יומן',
  empty: 'אין פגישות קרובות.',
  confirm: 'אישור',
  cancel: 'ביטול הפגישה',
  booked: 'נקבעה',
  confirmed: 'אושרה',
  cancelled: 'בוטלה',
} as const
