export const entry = {
  payment: 'בקשת תשלום',
  appointment: 'פגישה',
  note: 'הערה',
  call: 'שיחת טלפון',
} as const
