/** The words of the payment page, the same keys in every language. */
export const PAY_TEXTS = {
  he: {
    other: { code: 'en', name: 'English' },
    title: 'תשלום',
    to: 'תשלום אל',
    amount: 'סכום',
    toPay: 'סכום לתשלום',
    pay: 'לתשלום מאובטח',
    again: 'לנסות שוב',
    refresh: 'לבדוק שוב',
    paypal: 'התשלום מתבצע בעמוד המאובטח של PayPal. פרטי האשראי אינם נשמרים אצלנו.',
    tranzila: 'התשלום מתבצע בעמוד המאובטח של Tranzila. פרטי האשראי אינם נשמרים אצלנו.',
    canceled: 'התשלום בוטל ולא חויבת. אפשר לשלם בכל רגע.',
    unconfirmed: 'עדיין לא קיבלנו אישור על התשלום. אם כבר שילמת, אין צורך לשלם שוב: נעדכן ברגע שיגיע האישור.',
    trouble: 'לא הצלחנו להגיע לעמוד התשלום. לא חויבת. נא לנסות שוב בעוד רגע.',
    reference: 'אסמכתא',
    paidOn: 'שולם בתאריך',
    status: {
      checking: { title: 'בודקים את התשלום…', text: 'רק כמה שניות. אין צורך לשלם שוב.' },
      processing: {
        title: 'התשלום בבדיקה',
        text: 'התשלום התקבל לטיפול וטרם אושר סופית. אין צורך לשלם שוב, נעדכן כשיאושר.',
      },
      paid: { title: 'התשלום התקבל, תודה!', text: 'אפשר לסגור את העמוד.' },
      failed: { title: 'התשלום לא עבר', text: 'התשלום נדחה ולא חויבת. אפשר לנסות שוב, גם באמצעי תשלום אחר.' },
      expired: { title: 'תוקף הקישור פג', text: 'לקבלת קישור חדש נא לפנות אל העסק.' },
      refunded: { title: 'התשלום הוחזר', text: 'הסכום הוחזר לאמצעי התשלום שלך.' },
      unavailable: { title: 'לא ניתן לשלם כרגע', text: 'נא לפנות אל העסק.' },
    },
    missing: { title: 'העמוד לא נמצא', text: 'הקישור שגוי או שאינו קיים עוד.' },
  },
  en: {
    other: { code: 'he', name: 'עברית' },
    title: 'Payment',
    to: 'Payment to',
    amount: 'Amount',
    toPay: 'Amount to pay',
    pay: 'Pay securely',
    again: 'Try again',
    refresh: 'Check again',
    paypal: 'You pay on PayPal’s secure page. We never see your card details.',
    tranzila: 'You pay on Tranzila’s secure page. We never see your card details.',
    canceled: 'The payment was cancelled and you were not charged. You can pay at any time.',
    unconfirmed:
      'We have no confirmation of a payment yet. If you have paid, do not pay again: we will tell you as soon as it is confirmed.',
    trouble: 'The payment page could not be reached. You were not charged. Please try again in a moment.',
    reference: 'Reference',
    paidOn: 'Paid on',
    status: {
      checking: { title: 'Checking your payment…', text: 'Just a few seconds. There is no need to pay again.' },
      processing: {
        title: 'Your payment is being processed',
        text: 'It was received and is not confirmed yet. There is no need to pay again; we will tell you once it is.',
      },
      paid: { title: 'Payment received, thank you!', text: 'You can close this page.' },
      failed: {
        title: 'The payment did not go through',
        text: 'It was declined and you were not charged. You can try again, or pay another way.',
      },
      expired: { title: 'This link has expired', text: 'Please ask the business for a new one.' },
      refunded: { title: 'The payment was refunded', text: 'The amount was returned the way it was paid.' },
      unavailable: { title: 'Payment is not possible right now', text: 'Please contact the business.' },
    },
    missing: { title: 'Page not found', text: 'The link is wrong or no longer exists.' },
  },
} as const

export type PayLanguage = keyof typeof PAY_TEXTS
