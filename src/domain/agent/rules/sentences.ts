/** What the agent by rules says. Hebrew is in the plural or without an address, which fits everybody. */
type Sentences = {
  hello(business: string, name: string | null): string
  help: string
  hours(text: string): string
  noHours: string
  quote(title: string, text: string): string
  items(lines: string): string
  more: string
  robot(business: string): string
  handover: string
  askName: string
  askInquiry: string
  askCallback: string
  saved: string
  message: string
  unsure: string
  unheard: string
  seenByPerson: string
  passedOn: string
  restPassedOn: string
  thanks: string
  goodbye: string
  askService(names: string): string
  askTime(times: string): string
  notFree(times: string): string
  noTimes: string
  booked(when: string): string
  held(when: string): string
  moved(when: string): string
  cancelled(when: string): string
  askWhich(times: string): string
  askCancel(when: string): string
  keptAppointment: string
  noAppointment: string
  notOthers: string
  appointments(times: string): string
  notChangeable: string
  failed: string
  card: string
  wrongNumber: string
  /** In place of what nothing backs. */
  honest: { taken: string; failed: string }
}

const he: Sentences = {
  hello: (business, name) => `שלום${name ? ` ${name}` : ''}, כאן העוזר האוטומטי של ${business}.`,
  help: 'במה אפשר לעזור?',
  hours: (text) => `שעות הפעילות:\n${text}`,
  noHours: 'שעות הפעילות אינן רשומות אצלי.',
  quote: (title, text) => `${title}: ${text}`,
  items: (lines) => `מה שמתאים:\n${lines}`,
  more: 'אפשר לשאול עוד, או להשאיר פרטים ונחזור אליכם.',
  robot: (business) => `כן, זה מענה אוטומטי של ${business}. אם נוח יותר לדבר עם אדם, אפשר לכתוב "נציג".`,
  handover: 'מעבירים את הפנייה לצוות, ויענו לכם כאן.',
  askName: 'מה השם, בבקשה?',
  askInquiry: 'במה מדובר? אפשר לכתוב בכמה מילים.',
  askCallback: 'מתי נוח שנחזור אליכם?',
  saved: 'תודה, הפרטים נרשמו ונחזור אליכם.',
  message: 'ההודעה נרשמה.',
  unsure: 'אין לי תשובה לזה. אפשר להשאיר כאן פרטים והצוות יחזור אליכם.',
  unheard: 'לא ניתן להאזין כאן להודעות קוליות. אפשר לכתוב במקום?',
  seenByPerson: 'הקובץ התקבל. אדם מהצוות יסתכל עליו.',
  passedOn: 'תודה, זה נרשם עבור הצוות.',
  restPassedOn: 'על השאר אין לי תשובה כאן, וזה נרשם עבור הצוות.',
  thanks: 'בשמחה!',
  goodbye: 'תודה ולהתראות.',
  askService: (names) => `לאיזה שירות לקבוע? ${names}`,
  askTime: (times) => `אלה המועדים הפנויים הקרובים:\n${times}\nמה מתאים?`,
  notFree: (times) => `המועד הזה לא פנוי. פנוי:\n${times}\nמה מתאים?`,
  noTimes: 'לא נמצאו מועדים פנויים. אפשר לנסות תאריך אחר, או להשאיר פרטים.',
  booked: (when) => `נקבע תור: ${when}. לשינוי או לביטול אפשר לכתוב כאן.`,
  held: (when) => `המועד שמור: ${when}. התור ייקבע אחרי תשלום המקדמה.`,
  moved: (when) => `התור הועבר: ${when}.`,
  cancelled: (when) => `התור בוטל: ${when}.`,
  askWhich: (times) => `על איזה תור מדובר?\n${times}`,
  askCancel: (when) => `לבטל את התור: ${when}? (כן / לא)`,
  keptAppointment: 'בסדר, התור נשאר כפי שהוא.',
  noAppointment: 'לא נמצא תור על המספר הזה.',
  notOthers: 'אפשר לבדוק כאן רק תורים של מי שכותב מהמספר הזה.',
  appointments: (times) => `התורים הבאים:\n${times}`,
  notChangeable: 'את התור הזה כבר אי אפשר לשנות כאן. הצוות יחזור אליכם.',
  failed: 'משהו לא הצליח. הצוות יחזור אליכם.',
  card: 'נא לא לשלוח כאן מספרי כרטיס אשראי. המספר לא נשמר.',
  wrongNumber: 'אין בעיה, יום נעים.',
  honest: {
    taken: 'אין לי אפשרות לאשר את זה כאן. ההודעה נרשמה, והצוות יחזור אליכם.',
    failed: 'אין לי אפשרות לאשר את זה כאן. הצוות יחזור אליכם.',
  },
}

const en: Sentences = {
  hello: (business, name) => `Hello${name ? ` ${name}` : ''}, this is the automatic assistant of ${business}.`,
  help: 'How can I help?',
  hours: (text) => `Opening hours:\n${text}`,
  noHours: 'I do not have the opening hours.',
  quote: (title, text) => `${title}: ${text}`,
  items: (lines) => `What fits:\n${lines}`,
  more: 'You can ask more, or leave your details and we will get back to you.',
  robot: (business) => `Yes, this is the automatic assistant of ${business}. To reach a person, write "person".`,
  handover: 'I am passing this on to the team. They will answer you here.',
  askName: 'What is your name, please?',
  askInquiry: 'What is it about? A few words are enough.',
  askCallback: 'When is a good time to get back to you?',
  saved: 'Thank you, I have noted that. We will get back to you.',
  message: 'The message is noted.',
  unsure: 'I do not have an answer to that. You can leave your details here, and the team will get back to you.',
  unheard: 'I cannot listen to voice notes here. Could you write it instead?',
  seenByPerson: 'The file has arrived. A person of the team will look at it.',
  passedOn: 'Thank you, it is noted for the team.',
  restPassedOn: 'I do not have an answer to the rest, and it is noted for the team.',
  thanks: 'You are welcome!',
  goodbye: 'Thank you and goodbye.',
  askService: (names) => `Which service should it be? ${names}`,
  askTime: (times) => `These are the next free times:\n${times}\nWhich one suits you?`,
  notFree: (times) => `That time is not free. Free are:\n${times}\nWhich one suits you?`,
  noTimes: 'I found no free times. You can name another date, or leave your details.',
  booked: (when) => `Your appointment is booked: ${when}. To change or cancel it, write here.`,
  held: (when) => `The time is held: ${when}. The appointment counts once the deposit is paid.`,
  moved: (when) => `Your appointment was moved: ${when}.`,
  cancelled: (when) => `Your appointment was cancelled: ${when}.`,
  askWhich: (times) => `Which appointment do you mean?\n${times}`,
  askCancel: (when) => `Cancel the appointment: ${when}? (yes / no)`,
  keptAppointment: 'All right, the appointment stays as it is.',
  noAppointment: 'I found no appointment for this number.',
  notOthers: 'I can only look up appointments of this number here.',
  appointments: (times) => `Your next appointments:\n${times}`,
  notChangeable: 'This appointment cannot be changed here any more. The team will get back to you.',
  failed: 'Something did not work. The team will get back to you.',
  card: 'Please do not send card numbers here. The number was not kept.',
  wrongNumber: 'No problem, have a nice day.',
  honest: {
    taken: 'I cannot confirm that here. Your message is noted, and the team will get back to you.',
    failed: 'I cannot confirm that here. The team will get back to you.',
  },
}

export const SENTENCES: Record<'he' | 'en', Sentences> = { he, en }
