staff-title = Arbeidsflate
leader-title = Ledelse
staff-welcome = Hei { $name }
session-idle = Du logges ut etter 15 minutter uten aktivitet, og alltid etter 12 timer.
