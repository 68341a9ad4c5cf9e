/* Without this script the page is whole: it does not renew itself then, and its times are those
 * of UTC alone. */
(function () {
	'use strict';

	function utc(time, options) {
		return time.toLocaleString('en-GB', Object.assign({timeZone: 'UTC'}, options));
	}

	function local(time, options) {
		return time.toLocaleString('en-GB', options);
	}

	function zone(time) {
		return time.toLocaleTimeString('en-GB', {timeZoneName: 'short'}).split(' ').pop();
	}

	/* The reader's own time, with the day where it is another one than in UTC; "" in UTC. */
	function beside(time) {
		var day = {day: 'numeric', month: 'short'};
		var text = local(time, {hour: '2-digit', minute: '2-digit'}) + ' ' + zone(time);

		if (time.getTimezoneOffset() === 0)
			return '';
		return utc(time, day) === local(time, day) ? text : local(time, day) + ' ' + text;
	}

	/* A second row of labels below the chart. */
	function put_axis(axis) {
		var own = axis.cloneNode(true), label = axis.previousElementSibling.cloneNode(true);
		var last;

		own.querySelectorAll('time').forEach(function (e) {
			last = new Date(e.dateTime);
			e.textContent = local(last, {weekday: 'short'}) + ' ' +
			    local(last, {hour: '2-digit', minute: '2-digit'});
		});
		if (!last || last.getTimezoneOffset() === 0)
			return;
		label.textContent = zone(last);
		axis.after(label, own);
	}

	function put_titles(figure) {
		var times = figure.querySelectorAll('tbody time');

		figure.querySelectorAll('.col title').forEach(function (title, i) {
			var text = times[i] && beside(new Date(times[i].dateTime));

			if (text)
				title.textContent = title.textContent.replace(' UTC', ' UTC (' + text + ')');
		});
	}

	function put_local(main) {
		main.querySelectorAll('figure').forEach(put_titles);
		main.querySelectorAll('.zone + .xs').forEach(put_axis);
		main.querySelectorAll('time').forEach(function (e) {
			var text = beside(new Date(e.dateTime)), span = document.createElement('span');

			if (!text || e.closest('.xs'))
				return;
			span.className = 'local';
			span.textContent = ' (' + text + ')';
			e.after(span);
		});
	}

	function failed() {
		document.body.classList.add('stale');
	}

	/* Puts the new main element in the place of the old one, which does not flash: what is open
	 * stays open, what was scrolled stays there, and what has the focus keeps it. */
	function put(text) {
		var next = new DOMParser().parseFromString(text, 'text/html').querySelector('main');
		var old = document.querySelector('main');
		var focus = document.activeElement && document.activeElement.id, again;

		if (!next)
			return failed();
		put_local(next);
		old.querySelectorAll('details[open]').forEach(function (d) {
			var same = next.querySelector('#' + d.id);

			if (same)
				same.open = true;
		});
		next = document.adoptNode(next);
		var scrolled = Array.from(old.querySelectorAll('.scroll, .sideways'), function (s) {
			return [s.id, s.scrollTop, s.scrollLeft];
		});
		old.replaceWith(next);
		scrolled.forEach(function (s) {
			var same = document.getElementById(s[0]);

			if (same) {
				same.scrollTop = s[1];
				same.scrollLeft = s[2];
			}
		});
		again = focus && document.getElementById(focus);
		if (again)
			again.focus({preventScroll: true});
		document.body.classList.remove('stale');
	}

	function refresh() {
		if (document.hidden)
			return;
		fetch('/', {cache: 'no-store', credentials: 'omit'}).then(function (r) {
			if (!r.ok)
				throw new Error(r.status);
			return r.text();
		}).then(put).catch(failed);
	}

	put_local(document.querySelector('main'));
	setInterval(refresh, 5000);
	document.addEventListener('visibilitychange', refresh);
})();
