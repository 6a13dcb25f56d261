export const lead = {
  title: 'לידים',
  empty: 'אין לידים בשלב הזה.',
  callback: 'לחזור ב',
  move: 'העברה לשלב',
  source: 'מקור',
  value: 'שווי',
  noName: 'ללא שם',
  open: 'לשיחה',
  moved: '{name} עבר לשלב {stage}',
} as const
