export const commands = {
  title: 'מעבר מהיר',
  search: 'חיפוש ופעולות',
  nothing: 'לא נמצא. כתבו שם, מספר טלפון או פעולה.',
  keys: 'קיצורי מקלדת',
  arrows: 'מעבר בין שיחות ברשימה',
  next: 'לשיחה הבאה',
  previous: 'לשיחה הקודמת',
  reply: 'כתיבת תשובה',
  newContact: 'איש קשר חדש',
  find: 'חיפוש',
} as const
