staff-title = Arbeidsflate
leader-title = Leiing
staff-welcome = Hei { $name }
session-idle = Du blir logga ut etter 15 minutt utan aktivitet, og alltid etter 12 timar.
