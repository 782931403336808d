/*
 * L2: FIRST and SECOND flushes are put into a ring of ENTRIES by two queuers; an entry is valid while it carries its generation. A flusher
 * reads entries without the lock, and must never use one whose range belongs to another generation.
 */
#define slot(g) ((g) % ENTRIES)

byte generation, lock;
byte guard[ENTRIES], first[ENTRIES], last[ENTRIES];

proctype queuer(byte flushes)
{
	byte mine;

	do
	:: flushes == 0 -> break
	:: else ->
		d_step { generation++; mine = generation };
		atomic { lock == 0 -> lock = 1 };
		guard[slot(mine)] = 0;
		first[slot(mine)] = 10 * mine;
		last[slot(mine)] = 10 * mine + 5;
		guard[slot(mine)] = mine;
		d_step { lock = 0; mine = 0; flushes-- }
	od
}

proctype flusher()
{
	byte target, at, from, to;

	target = generation;
	at = 1;
	do
	:: at > target -> break
	:: else ->
		if
		:: guard[slot(at)] != at -> break
		:: else
		fi;
		from = first[slot(at)];
		to = last[slot(at)];
		if
		:: guard[slot(at)] != at -> break
		:: else
		fi;
		d_step { assert(from == 10 * at && to == 10 * at + 5); at++; from = 0; to = 0 }
	od
}

init
{
	atomic {
		run queuer(FIRST);
		run queuer(SECOND);
		run flusher()
	}
}
